"""The training that one writes in an afternoon: Lightning, torchvision's ImageFolder, a ViT of vit-pytorch's.

    .venv/bin/python benchmarks/plain.py --root photos --epochs 2

photos/{train,val}/<class>/...; the sizes of configs/cats_dogs.yaml. benchmarks/fit.py times it beside vitcli.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchmetrics.classification import MulticlassAccuracy
from torchvision import transforms
from torchvision.datasets import ImageFolder
from vit_pytorch import ViT

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Plain(pl.LightningModule):
    """A ViT, cross-entropy and AdamW."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.net = ViT(
            image_size=224,
            patch_size=32,
            num_classes=classes,
            dim=128,
            depth=12,
            heads=8,
            dim_head=16,
            mlp_dim=512,
            pool="mean",
        )
        self.accuracy = torch.nn.ModuleDict({key: MulticlassAccuracy(classes) for key in ("fit", "val")})

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self._step("fit", batch)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self._step("val", batch)

    def _step(self, name: str, batch: Any) -> Tensor:
        images, labels = batch
        logits = self.net(images)
        loss = F.cross_entropy(logits, labels)
        self.accuracy[name](logits, labels)
        self.log(f"{name}/loss", loss, prog_bar=True)
        self.log(f"{name}/accuracy", self.accuracy[name], on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


class Tell(pl.Callback):
    """A line at the end of each epoch, for the stopwatch."""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        print(f"epoch {trainer.current_epoch + 1} done", flush=True)


def main() -> None:
    """Train and validate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--precision", default="bf16-mixed")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--accelerator", choices=("cpu", "gpu"), default="cpu")
    args = parser.parse_args()
    whole = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    augment = [transforms.RandomResizedCrop(224, (0.25, 1.0)), transforms.RandomHorizontalFlip()]
    evaluate = [transforms.Resize(256), transforms.CenterCrop(224)]
    train = ImageFolder(str(args.root / "train"), transforms.Compose([*augment, *whole]))
    val = ImageFolder(str(args.root / "val"), transforms.Compose([*evaluate, *whole]))
    shared = {"batch_size": 64, "num_workers": args.workers, "persistent_workers": args.workers > 0}
    trainer = pl.Trainer(
        max_epochs=args.epochs,
        accelerator=args.accelerator,
        devices=1,
        precision=args.precision,
        callbacks=[Tell()],
        default_root_dir="runs/bench/plain",
    )
    trainer.fit(Plain(len(train.classes)), DataLoader(train, shuffle=True, **shared), DataLoader(val, **shared))


if __name__ == "__main__":
    main()
