"""What the rows of a prediction table depend on: weights, preprocessing, settings, images; another start compares."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import torch

import vitcli
from vitcli.images.index.listing import FileOpener
from vitcli.images.source.source import Folder
from vitcli.table.listed import Listed, fingerprint

if TYPE_CHECKING:
    import lightning.pytorch as pl

    from vitcli.data import ImageData, Listing
    from vitcli.data.batches.datamodule import Split
    from vitcli.train.classifier import Classifier

# of the work folder and the journals in it
LAYOUT = 1


@final
class Images:
    """The images of a listing, as a table's work folder keeps them.

    Args:
        listing: The listing.
        classes: Names of the classes.
    """

    def __init__(self, listing: Listing, classes: tuple[str, ...]) -> None:
        self._listing = listing
        self._classes = classes
        self._fingerprint = ""

    @property
    def fingerprint(self) -> str:
        """A hash that changes with any of them."""
        self._fingerprint = self._fingerprint or fingerprint(self)
        return self._fingerprint

    def __len__(self) -> int:
        return len(self._listing)

    def __contains__(self, image: object) -> bool:
        return any(image == other for other in self)

    def __iter__(self) -> Iterator[Listed]:
        listing = self._listing
        for position, path in enumerate(listing.paths):
            size, version = self._version(position)
            yield Listed(path, size, version, label_of(listing, self._classes, position))

    def _version(self, position: int) -> tuple[int, int]:
        index, rows, opener = self._listing.index, self._listing.rows, self._listing.open
        if index is None or rows is None:
            return 0, 0
        size, version = (int(index.columns[name][rows[position]]) for name in ("size", "version"))
        if not size and not version and isinstance(opener, FileOpener) and isinstance(opener.source, Folder):
            # one that was not found in a folder but named, such as in a list
            try:
                status = Path(opener.source.root, opener.paths[position]).stat()
            except OSError:
                return 0, 0
            return status.st_size, status.st_mtime_ns
        return size, version


def label_of(listing: Listing, classes: tuple[str, ...], position: int) -> str:
    """The name of an image's class; empty when unknown."""
    label = listing.labels[position]
    return classes[label] if label >= 0 else ""


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
    opener = data.listing(split).open
    quarantined = "\0".join(sorted(data.quarantined)).encode("utf-8", "surrogateescape")
    return {
        "version of vitcli": f"{vitcli.__version__}, {LAYOUT}",
        "version of torch": torch.__version__,
        "weights": weights_digest(model.net),
        "net": settings["net"],
        "preprocessing": settings["preprocess"],
        "classes": list(model.classes),
        "data.root": [type(data).__name__, split, *_roots(data, opener)],
        "images": data.listing(split).mark,
        "data.max_pixels": data.max_pixels,
        "data.quarantine": hashlib.sha256(quarantined).hexdigest() if quarantined else "",
        "data.batch_size": data.batch_size,
        "trainer.precision": str(trainer.precision),
        "trainer.accelerator": trainer.strategy.root_device.type,
        "model.compile": bool(settings.get("compile")),
    }


def weights_digest(net: torch.nn.Module) -> str:
    """SHA-256 of all parameters and buffers of a net with their names; some milliseconds for 10 million of them."""
    digest = hashlib.sha256()
    for name, tensor in net.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(memoryview(flat.view(torch.uint8).numpy()))
    return digest.hexdigest()


def _roots(data: ImageData, opener: object) -> list[str]:
    named = getattr(data, "roots", None) or [getattr(data, "root", "")]
    where = [*named, opener.source.root] if isinstance(opener, FileOpener) else named
    return [str(Path(root).resolve()) if root else "" for root in where]
