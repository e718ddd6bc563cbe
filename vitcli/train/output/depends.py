"""What the rows of a prediction table depend on: weights, preprocessing, settings, images; another start compares."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import torch

from vitcli.predictions.images import VERSION, depends_on_images
from vitcli.train.sharding.local import whole

if TYPE_CHECKING:
    import lightning.pytorch as pl

    from vitcli.data import ImageData
    from vitcli.data.batches.datamodule import Split
    from vitcli.train.classifier import Classifier


def depends_on(trainer: pl.Trainer, model: Classifier, data: ImageData, split: Split) -> dict[str, Any]:
    """What the numbers of a table depend on, in plain values, under names that a message can use.

    The number of processes is not in it: whichever process predicts an image, its batch is the same.

    Args:
        trainer: Its precision and its device.
        model: The net, with its weights.
        data: The images.
        split: Which of them.
    """
    settings = model.hparams
    kind = type(data).__name__, split
    return {
        "version of vitcli": VERSION,
        "version of torch": torch.__version__,
        "weights": weights_digest(model.net),
        "net": settings["net"],
        "preprocessing": settings["preprocess"],
        "classes": list(model.classes),
        **depends_on_images(data.listing(split), roots_of(data), kind, data.quarantined, data.max_pixels),
        "data.batch_size": data.batch_size,
        "trainer.precision": str(trainer.precision),
        "trainer.accelerator": trainer.strategy.root_device.type,
        "model.compile": bool(settings.get("compile")),
    }


def roots_of(data: ImageData) -> list[str]:
    """Where images are, as named; one empty name for those that are no files."""
    return list(getattr(data, "roots", None) or [getattr(data, "root", "")])


def weights_digest(net: torch.nn.Module) -> str:
    """SHA-256 of all parameters and buffers of a net with their names; some milliseconds for 10 million of them.

    Of a net that is split, every process calls this.
    """
    digest = hashlib.sha256()
    for name, tensor in net.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
        flat: Any = whole(tensor.detach()).cpu().contiguous().reshape(-1)
        digest.update(memoryview(flat.view(torch.uint8).numpy()))
    return digest.hexdigest()
