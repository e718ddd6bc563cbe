"""Trains a toy and writes a hash of every picture that each process is shown; started by test_determinism.

    python tests/data/matrix.py PLACES OUT PROCESSES

For each place (JSON: its name, and the layout, the root and the cases there), what comes to the step of training, after
all that is done on the device.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

import vitcli.data
from tests.data.shown import AUGMENT
from vitcli.data.batches.samples import Batch
from vitcli.preprocess import Preprocess

# the cache of decoded pictures, and the workers; then those of a run that goes on in the middle of its last epoch
CASES = [("none", 0), ("none", 1), ("none", 2), ("none", 4), ("disk", 0), ("disk", 2), ("ram", 0), ("ram", 2)]
FEW_CASES = [("none", 0), ("none", 2)]
RESUMED = [("none", 0, 2), ("none", 2, 0)]
GLOBAL_BATCH = 8
EPOCHS = 2
# steps of the last epoch after which a checkpoint is written
DONE_STEPS = 2


class Toy(LightningModule):
    """Sees every picture, one by one, in the order of the batch; leaves a checkpoint in the middle of its last epoch.

    Args:
        kept: The checkpoint; None writes none.
    """

    def __init__(self, kept: Path | None = None) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.kept = kept
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

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.kept is not None and (self.current_epoch, batch_idx) == (EPOCHS - 1, DONE_STEPS - 1):
            self.trainer.save_checkpoint(self.kept)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.01)


def run(places: Mapping[str, Sequence[Any]], out: Path, processes: int) -> None:
    """All places on so many processes.

    Args:
        places: By name: layout, root, and the cases of each.
        out: Folder for the hashes.
        processes: Of one training.
    """
    torch.set_num_threads(1)
    for name, (layout, root, cases) in places.items():
        (out / name).mkdir(exist_ok=True)
        for cache, workers, *then in cases:
            data = getattr(vitcli.data, layout)(
                root,
                preprocess=Preprocess(size=(16, 16)),
                classes=("a", "b"),
                augment=AUGMENT,
                batch_size=GLOBAL_BATCH // processes,
                num_workers=workers,
                cache=cache,
                cache_dir=str(out / name / "kept"),
            )
            kept = out / name / f"{processes}-{then[0] if then else workers}.ckpt"
            toy = Toy(kept if cache == "none" and not then else None)
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
            trainer.fit(toy, data, ckpt_path=kept if then else None)
            (out / name / file_name(processes, trainer.global_rank, cache, workers, *then)).write_text(
                json.dumps(toy.seen)
            )
            trainer.strategy.barrier()


def file_name(processes: int, rank: int, *case: Any) -> str:
    """What one process of a case was shown."""
    return "-".join(map(str, (processes, *case, rank))) + ".json"


if __name__ == "__main__":
    run(json.loads(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
