"""Predictions of a folder of photos as one writes them with other libraries; benchmarks/predict.py times each.

    .venv/bin/python benchmarks/predict_peers.py lightning --root photos --out table.csv
    PEERS/bin/python benchmarks/predict_peers.py transformers --root photos --out table.csv
    PEERS/bin/python benchmarks/predict_peers.py ultralytics --root photos --out table.csv

A ViT of 224 px, 32 px patches, dim 128, depth 12 and 8 heads, of two classes, with fresh weights; Ultralytics has no
ViT, and takes its smallest classifier. The table has path, class and confidence. Each is called as its own
documentation says, in batches.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ENDINGS = (".jpg", ".jpeg", ".png")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
Answer = tuple[str, Any, float]


def photos(root: Path) -> list[Path]:
    """All images below a folder, or the one image."""
    return [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.suffix.lower() in ENDINGS)


def lightning(args: argparse.Namespace) -> Iterator[Answer]:
    """Trainer.predict with a dataset of Pillow and torchvision, and vit-pytorch's net."""
    import lightning.pytorch as pl
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset
    from torchvision import transforms
    from vit_pytorch import ViT

    files = photos(args.root)
    whole = transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )

    class Photos(Dataset):
        def __len__(self) -> int:
            return len(files)

        def __getitem__(self, index: int) -> Any:
            with Image.open(files[index]) as image:
                return whole(image.convert("RGB"))

    class Net(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            sizes = {"dim": 128, "depth": 12, "heads": 8, "dim_head": 16, "mlp_dim": 512}
            self.net = ViT(image_size=224, patch_size=32, num_classes=2, pool="mean", **sizes)

        def predict_step(self, batch: Any, batch_idx: int) -> Any:
            return self.net(batch).softmax(dim=1)

    trainer = pl.Trainer(
        accelerator="gpu" if args.device == "cuda" else "cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
    )
    batches = trainer.predict(Net(), DataLoader(Photos(), batch_size=64, num_workers=args.workers))
    shares = [row for batch in batches for row in batch.tolist()]
    for path, row in zip(files, shares, strict=True):
        yield str(path), row.index(max(row)), max(row)


def transformers(args: argparse.Namespace) -> Iterator[Answer]:
    """The pipeline of image-classification, in batches, with its own loader."""
    from transformers import ViTConfig, ViTForImageClassification, pipeline

    try:
        from transformers import ViTImageProcessorFast as Processor
    except ImportError:
        from transformers import ViTImageProcessor as Processor

    config = ViTConfig(
        hidden_size=128,
        num_hidden_layers=12,
        num_attention_heads=8,
        intermediate_size=512,
        image_size=224,
        patch_size=32,
        num_labels=2,
    )
    pipe = pipeline(
        "image-classification",
        model=ViTForImageClassification(config),
        image_processor=Processor(size={"height": 224, "width": 224}),
        device=0 if args.device == "cuda" else -1,
        batch_size=64,
        num_workers=args.workers,
    )
    files = [str(path) for path in photos(args.root)]
    for path, best in zip(files, pipe(files, top_k=1), strict=True):
        yield path, best[0]["label"], best[0]["score"]


def ultralytics(args: argparse.Namespace) -> Iterator[Answer]:
    """YOLO's smallest classifier, built from its description, on a stream of results."""
    from ultralytics import YOLO

    files = photos(args.root)
    source = str(args.root) if args.root.is_file() else str(args.root / "**" / "*.jpg")
    results = YOLO("yolov8n-cls.yaml", task="classify").predict(
        source, imgsz=224, batch=64, stream=True, verbose=False, save=False, device=args.device
    )
    count = 0
    for count, result in enumerate(results, 1):  # noqa: B007 -- counted
        yield result.path, result.probs.top1, float(result.probs.top1conf)
    assert count == len(files), f"{count} of {len(files)} photos"


def write(table: Path, rows: Iterable[Answer]) -> None:
    """Rows as they come."""
    with table.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(("path", "predicted", "confidence"))
        out.writerows(rows)


def main() -> None:
    """Predict."""
    known = {"lightning": lightning, "transformers": transformers, "ultralytics": ultralytics}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", choices=known)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    args = parser.parse_args()
    write(args.out, known[args.library](args))


if __name__ == "__main__":
    main()
