"""Position of a run (epoch and batch), from Lightning's counters, read only here; whether a checkpoint's still fits."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, TypedDict

from lightning.pytorch.loops.progress import _ProcessedTracker

from vitcli.errors import ConfigError

if TYPE_CHECKING:
    import lightning.pytorch as pl

    from vitcli.images.index.listing import Listing


class Counted(TypedDict, total=False):
    """What a checkpoint must know to go on in the middle of an epoch.

    Args:
        images: How many there are to train on.
        global_batch: How many of them are in a step of all processes.
        order: Sampler and repeats, which decide the order of an epoch.
        files: Fingerprint of the images' names and labels.
        overfits: Whether every epoch shows the same batches.
    """

    images: int
    global_batch: int
    order: str
    files: str
    overfits: bool


def position(trainer: pl.Trainer | None) -> tuple[int, int]:
    """The present epoch, and how many of its batches are done; true only once Lightning has restored a run.

    ``current_epoch`` lags behind after a run was resumed at the end of an epoch, ``processed`` does not. When
    the first batch of an epoch is asked for, ``ready`` is 0, or, after resuming, the number of steps that the
    checkpoint holds.
    """
    if trainer is None:
        return 0, 0
    loop = trainer.fit_loop
    epoch = loop.epoch_progress.current
    assert isinstance(epoch, _ProcessedTracker)
    return epoch.processed, loop.epoch_loop.batch_progress.current.ready


def overfits(trainer: pl.Trainer | None) -> bool:
    """Whether the run is to learn a few batches by heart (``trainer.overfit_batches``): the same ones each epoch."""
    return trainer is not None and trainer.overfit_batches > 0  # type: ignore[attr-defined]


def names_and_labels(listing: Listing) -> str:
    """A fingerprint that is the same for a copy of the images on another machine."""
    digest = hashlib.sha256(listing.labels.tobytes())
    for path in listing.paths:
        digest.update(path.encode("utf-8", "surrogateescape") + b"\0")
    return digest.hexdigest()[:32]


def check_counted(then: Counted, now: Counted, batch_size: int) -> None:
    """Check that an epoch which was left in its middle can be resumed; what was not counted is not compared.

    Args:
        then: When the checkpoint was written.
        now: As configured.
        batch_size: As configured, for the message.

    Raises:
        ConfigError: The rest of the epoch would be another.
    """
    remedy = "go on with those, or start from the end of an epoch"
    if any(then.get(key, now[key]) != now[key] for key in ("images", "global_batch")):
        raise ConfigError(
            f"data.batch_size {batch_size}: this makes {now['images']} images in batches of {now['global_batch']}, but "
            f"the checkpoint was written in the middle of an epoch of {then['images']} in batches of "
            f"{then['global_batch']}; {remedy}"
        )
    if then.get("order", now["order"]) != now["order"]:
        raise ConfigError(
            f"data.sampler, data.augment.repeats: are {now['order']}, but the checkpoint was written in the middle of "
            f"an epoch with {then['order']}; {remedy}"
        )
    if then.get("overfits", now["overfits"]) != now["overfits"]:
        raise ConfigError(
            f"trainer.overfit_batches: is {'set' if now['overfits'] else 'not set'}, but was"
            f"{' not' if now['overfits'] else ''} when the checkpoint was written in the middle of an epoch, which "
            f"then shows other images; {remedy}"
        )
    if then.get("files", now["files"]) != now["files"]:
        raise ConfigError(
            "data: the training images have other names or labels than those with which the checkpoint was written in "
            f"the middle of an epoch; {remedy}"
        )
