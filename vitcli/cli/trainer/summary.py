"""Summary lines of a verb: the net and the images before it starts; at its end, what was reached and where it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightning.pytorch.callbacks import EarlyStopping, Timer

from vitcli.data.batches.position import position
from vitcli.data.module import SPLITS_OF_STAGE
from vitcli.names import counted, quoted
from vitcli.net.counts import parameters
from vitcli.predictions import told
from vitcli.run import Run
from vitcli.train.output.predictions import PredictionWriter
from vitcli.train.safety.best import BestCheckpoint
from vitcli.train.stop import Stop

if TYPE_CHECKING:
    import lightning.pytorch as pl

    from vitcli.data import ImageData
    from vitcli.train.classifier import Classifier


KEPT = ("checkpoints/best.ckpt", "checkpoints/last.ckpt", "metrics.csv", "config.yaml")


def trained(trainer: pl.Trainer, run: Run, before: int | None = None) -> list[str]:
    """What fit has reached, and where it lies.

    Args:
        trainer: The trainer that has done it.
        run: The run.
        before: Step of the run from which fit went on; None for a new run.
    """
    reached = "".join(f", best {metric} {best:.4f}" for metric, best in best_score(trainer).items())
    done, _ = position(trainer)
    epochs, steps = counted(done, "epoch"), counted(trainer.global_step, "step")
    files = ", ".join(name for name in KEPT if (run.folder / name).is_file())
    lines = [f"done: {epochs}, {steps}{reached}{_why(trainer)}", f"run: {run.folder}{f' ({files})' if files else ''}"]
    if before is not None and before == trainer.global_step:
        stopped = [stop for stop in _stops(trainer) if stop.has_stopped(trainer)]
        had = f"stopped early after {epochs}" if stopped else f"its {epochs} already"
        more = f"--trainer.max_epochs {2 * max(1, done)}"
        if stopped:
            more = f"--stop.patience {2 * stopped[0].count}"
        elif (timer := _expired(trainer)) is not None:
            had, more = "used up its trainer.max_time", f"--trainer.max_time {_doubled(timer)}"
        lines.append(
            f"nothing was trained: the run had {had}; for more, vitcli fit --ckpt_path {quoted(run.folder)} {more}"
        )
    return lines


def what_next(run: Run) -> list[str]:
    """The command that follows a training; none where there is nothing to test."""
    return [f"next: vitcli test --ckpt_path {quoted(run.folder)}"] if any(run.checkpoints.glob("*.ckpt")) else []


def best_of(trainer: pl.Trainer) -> BestCheckpoint:
    """What keeps the best checkpoint of a trainer."""
    return next(saver for saver in trainer.checkpoint_callbacks if isinstance(saver, BestCheckpoint))


def best_score(trainer: pl.Trainer) -> dict[str, float]:
    """What best.ckpt reaches by the metric that has chosen it; empty where none has."""
    saver = best_of(trainer)
    if saver.monitor is None or saver.best_model_score is None:
        return {}
    return {saver.monitor: float(saver.best_model_score)}


def _why(trainer: pl.Trainer) -> str:
    """Why a training ended before its last epoch."""
    for stop in _stops(trainer):
        if stop.has_stopped(trainer):
            return f"; stopped early: {stop.reason}"
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, EarlyStopping) and callback.stopped_epoch:
            return f"; stopped early: {callback.monitor} was no better for {counted(callback.patience, 'epoch')}"
    return "" if _expired(trainer) is None else "; stopped by trainer.max_time"


def _expired(trainer: pl.Trainer) -> Timer | None:
    """What has ended a training because its time was up."""
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, Timer) and (left := callback.time_remaining()) is not None and left <= 0:
            return callback
    return None


def _doubled(timer: Timer) -> str:
    """Twice the time that a training had, as trainer.max_time is typed."""
    minutes, seconds = divmod(2 * round(timer._duration or 1), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days:02}:{hours:02}:{minutes:02}:{seconds:02}"


def _stops(trainer: pl.Trainer) -> list[Stop]:
    return [callback for callback in trainer.callbacks if isinstance(callback, Stop)]  # type: ignore[attr-defined]


def table_lines(trainer: pl.Trainer) -> list[str]:
    """Where the table lies, how many images it holds and how many of them have no prediction."""
    writer = predictions_of(trainer)
    # None: there was no image
    joined = writer.joined
    return [] if joined is None else told.table_lines(writer.table, joined, writer.sorted, writer.max_errors)


def predictions_of(trainer: pl.Trainer) -> PredictionWriter:
    """The writer of a trainer's table."""
    return next(callback for callback in trainer.callbacks if isinstance(callback, PredictionWriter))  # type: ignore[attr-defined]


def describe(model: Classifier, data: ImageData, verb: str, effort: int | None = None) -> list[str]:
    """What is about to happen, in two lines: the net, and the images.

    Args:
        model: The classifier.
        data: Its images, scanned.
        verb: fit, validate, test or predict.
        effort: Multiply-accumulates of an image; None where they are of no interest.
    """
    net = model.net
    counts = ", ".join(
        counted(len(data.listing(split)), "image" if split == "predict" else f"{split} image")
        for split in SPLITS_OF_STAGE[verb]
    )
    names = ", ".join(model.classes[:8]) + (", ..." if len(model.classes) > 8 else "")
    backend = type(net.backend).__name__
    cost = f", {effort / 1e9:.3f} GMAC an image" if effort is not None else ""
    return [
        f"net: {backend}, {net.tokens} tokens x {net.dim}, {parameters(net):,} parameters{cost}",
        f"data: {counts}; {len(model.classes)} classes: {names}",
    ]
