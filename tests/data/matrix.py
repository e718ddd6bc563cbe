"""Trains a toy on a folder and writes a hash of every batch that each process is shown; started by test_determinism.

    python tests/data/matrix.py ROOT OUT PROCESSES [LAYOUT]

For each cache and number of workers, fewer with a layout: what comes to the step, after all that is done on the device.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

import vitcli.data
from vitcli.data.augment.augment import Augment
from vitcli.data.batches.samples import Batch
from vitcli.preprocess import Preprocess

AUGMENT = Augment(colour=0.3, erase=0.3, policy="trivial", flip_vertical=0.3)
CASES = [("none", 0), ("none", 1), ("none", 2), ("none", 4), ("disk", 0), ("disk", 2), ("ram", 0), ("ram", 2)]
# of images that do not lie in a folder
FEW_CASES = [("none", 0), ("none", 2)]
GLOBAL_BATCH = 8
EPOCHS = 2


class Toy(LightningModule):
    """Sees every picture, one by one, in the order of the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen: list[list[str]] = []

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        pictures = zip(batch["image"], batch["label"].tolist(), batch["index"].tolist(), strict=True)
        self.seen.append(
            [
                hashlib.sha256(image.numpy().tobytes() + f"{label},{index}".encode()).hexdigest()
                for image, label, index in pictures
            ]
        )
        return (self.weight * batch["image"].float().mean()).sum()

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.01)


def run(root: str, out: Path, processes: int, layout: str = "") -> None:
    """All cases on so many processes; with a layout, the few ones."""
    torch.set_num_threads(1)
    for cache, workers in FEW_CASES if layout else CASES:
        data = getattr(vitcli.data, layout or "FolderData")(
            root,
            preprocess=Preprocess(size=(16, 16)),
            classes=("a", "b"),
            augment=AUGMENT,
            batch_size=GLOBAL_BATCH // processes,
            num_workers=workers,
            cache=cache,
            cache_dir=str(out / "kept"),
        )
        toy = Toy()
        trainer = Trainer(
            max_epochs=EPOCHS,
            accelerator="cpu",
            devices=processes,
            strategy="ddp" if processes > 1 else "auto",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
            limit_val_batches=0,
        )
        trainer.fit(toy, data)
        name = f"{processes}-{cache}-{workers}-{trainer.global_rank}.json"
        (out / name).write_text(json.dumps(toy.seen))
        trainer.strategy.barrier()


if __name__ == "__main__":
    run(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
