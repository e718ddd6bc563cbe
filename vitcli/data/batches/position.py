"""Position of a run (epoch and batch), from Lightning's counters, read only here; whether a checkpoint's still fits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from lightning.pytorch.callbacks import GradientAccumulationScheduler
from lightning.pytorch.loops.progress import _ProcessedTracker

from vitcli.errors import ConfigError

if TYPE_CHECKING:
    import lightning.pytorch as pl

    from vitcli.images.index.listing import Listing


class Counted(TypedDict, total=False):
    """What a checkpoint must know to go on in the middle of an epoch.

    Args:
        images: How many there are to train on.
        global_batch: How many of them are in a batch of all processes.
        order: Sampler and repeats, which decide the order of an epoch.
        files: Fingerprint of the images' names and labels.
        overfits: Whether every epoch shows the same batches.
        seed: Of the order and of the augmentation.
        accumulated: How many batches of a process make a step of the optimizer.
    """

    images: int
    global_batch: int
    order: str
    files: str
    overfits: bool
    seed: int
    accumulated: int


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


def is_in_epoch(trainer: pl.Trainer) -> bool:
    """Whether an epoch of training is begun and not over; its last validation belongs to it."""
    epoch = trainer.fit_loop.epoch_progress.current
    assert isinstance(epoch, _ProcessedTracker)
    return epoch.processed < epoch.started and trainer.fit_loop.epoch_loop.batch_progress.current.ready > 0


def ending(trainer: pl.Trainer) -> Literal["batch", "epoch"] | None:
    """What is just ending, as callbacks see it that are called at the end of a batch or of an epoch of training."""
    epoch, batch = trainer.fit_loop.epoch_progress.current, trainer.fit_loop.epoch_loop.batch_progress.current
    assert isinstance(epoch, _ProcessedTracker)
    assert isinstance(batch, _ProcessedTracker)
    if epoch.processed > epoch.completed:
        return "epoch"
    return "batch" if batch.processed > batch.completed else None


def ends_early(trainer: pl.Trainer) -> bool:
    """Whether an epoch is ending before its last batch, as by ``trainer.max_steps``, ``max_time`` or a callback."""
    batches = trainer.fit_loop.epoch_loop.batch_progress
    return (
        ending(trainer) == "epoch"
        and not batches.is_last_batch
        and batches.current.ready < trainer.num_training_batches
    )


def leave_open(loop: dict[str, Any], accumulated: int) -> None:
    """Have a checkpoint of an epoch that ended early say that the epoch is in its middle, and what is left of it.

    Lightning counts such an epoch as done, and a run that is extended would pass over the images that it has not shown.

    Args:
        loop: State of the fit loop in the checkpoint, changed in place.
        accumulated: Batches of a step; those of a step that was not taken are shown again.
    """
    for counted in (loop["epoch_progress"]["total"], loop["epoch_progress"]["current"]):
        counted["processed"] = counted["completed"]
    batches = loop["epoch_loop.batch_progress"]
    without_step = batches["current"]["ready"] % accumulated
    for counted in (batches["total"], batches["current"]):
        done = counted["ready"] - without_step
        # as behind a batch whose callbacks save: Lightning then counts the batch, and its step, as done
        counted.update(ready=done, started=done, processed=done, completed=done - 1)
    loop["epoch_loop.state_dict"]["_batches_that_stepped"] -= 1


def is_last_batch(trainer: pl.Trainer) -> bool:
    """Whether the latest batch of training is the last one of its epoch."""
    batches = trainer.fit_loop.epoch_loop.batch_progress
    return batches.is_last_batch or batches.current.ready >= trainer.num_training_batches


def is_between_steps(trainer: pl.Trainer) -> bool:
    """Whether no gradients are summed up for a step to come, which no checkpoint holds."""
    return is_last_batch(trainer) or position(trainer)[1] % trainer.accumulate_grad_batches == 0


def left_midway(checkpoint: Mapping[str, Any]) -> bool:
    """Whether a checkpoint was written in the middle of an epoch, of which some batches are done."""
    loop = checkpoint.get("loops", {}).get("fit_loop", {})
    epoch = loop.get("epoch_progress", {}).get("current", {})
    done = loop.get("epoch_loop.batch_progress", {}).get("current", {}).get("ready", 0)
    return bool(epoch.get("processed", 0) < epoch.get("started", 0) and done)


def in_other_batches(loop: dict[str, Any], then: int, now: int) -> None:
    """Have a checkpoint of an epoch in its middle count the batches that it would have done, were a step of others.

    It lies on the boundary of a step, and a step sees as many images, so that the steps done are the same.

    Args:
        loop: State of the fit loop in the checkpoint, changed in place.
        then: Batches of a process that made a step when it was written.
        now: As many as make one.
    """
    batches = loop["epoch_loop.batch_progress"]
    total, current = batches["total"], batches["current"]
    ready = current["ready"]
    # what is completed may be one batch behind what is done
    recounted = {key: ready // then * now - (ready - count) for key, count in current.items()}
    for key, count in recounted.items():
        total[key] += count - current[key]
    current.update(recounted)


def accumulated(trainer: pl.Trainer | None) -> int:
    """Batches of a process that make a step of the optimizer."""
    return trainer.accumulate_grad_batches if trainer is not None else 1


def summed_up(trainer: pl.Trainer | None) -> int:
    """Batches of a process that make a step in every epoch; 1 where that changes from epoch to epoch."""
    if trainer is None or any(isinstance(callback, GradientAccumulationScheduler) for callback in trainer.callbacks):  # type: ignore[attr-defined]
        return 1
    return trainer.accumulate_grad_batches


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
    if _images_of_step(then, now) == _images_of_step(now, now):
        # other processes, or smaller batches: the images of each step are the same
        then = {**then, "global_batch": now["global_batch"], "accumulated": now["accumulated"]}
    for key, setting in (("seed", "seed_everything"), ("accumulated", "trainer.accumulate_grad_batches")):
        if then.get(key, now[key]) != now[key]:  # type: ignore[literal-required]
            raise ConfigError(
                f"{setting} {now[key]}: was {then[key]} when the checkpoint was written in the middle of an epoch, "  # type: ignore[literal-required]
                f"whose rest would be another; {remedy}"
            )
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


def _images_of_step(counted: Counted, default: Counted) -> int:
    together = counted.get("global_batch", default["global_batch"])
    return together * counted.get("accumulated", default["accumulated"])
