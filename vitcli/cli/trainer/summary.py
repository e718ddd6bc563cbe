"""Summary lines of a verb: the net and the images before it starts; at its end, what was reached and where it lies."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, Timer

from vitcli.data.module import SPLITS_OF_STAGE
from vitcli.names import counted, quoted
from vitcli.net.counts import macs, parameters
from vitcli.run import Run
from vitcli.table.row import read_rows
from vitcli.train.output.predictions import PredictionWriter

if TYPE_CHECKING:
    import lightning.pytorch as pl

    from vitcli.data import ImageData
    from vitcli.train.classifier import Classifier


KEPT = ("checkpoints/best.ckpt", "checkpoints/last.ckpt", "metrics.csv", "config.yaml")


def outcome(verb: str, trainer: pl.Trainer, run: Run, checkpoint: Path | None, before: int | None = None) -> list[str]:
    """The last lines of a verb; validate and test also write their scores into the run's folder.

    Args:
        verb: fit, validate, test or predict.
        trainer: The trainer that has done it.
        run: The run.
        checkpoint: The checkpoint that was used.
        before: Step of the run from which fit went on; None for a new run.
    """
    if verb == "fit":
        return _fit(trainer, run, before)
    if verb == "predict":
        return _table(trainer)
    return _scores(verb, trainer, run, checkpoint)


def _fit(trainer: pl.Trainer, run: Run, before: int | None) -> list[str]:
    saver = next(saver for saver in trainer.checkpoint_callbacks if isinstance(saver, ModelCheckpoint))
    best = saver.best_model_score
    reached = f", best {saver.monitor} {float(best):.4f}" if best is not None else ""
    epochs, steps = counted(trainer.current_epoch, "epoch"), counted(trainer.global_step, "step")
    files = ", ".join(name for name in KEPT if (run.folder / name).is_file())
    lines = [f"done: {epochs}, {steps}{reached}{_why(trainer)}", f"run: {run.folder}{f' ({files})' if files else ''}"]
    if before is not None and before == trainer.global_step:
        lines.append(
            f"nothing was trained: the run had its {epochs} already; for more, "
            f"vitcli fit --ckpt_path {quoted(run.folder)} --trainer.max_epochs {2 * max(1, trainer.current_epoch)}"
        )
    if any(run.checkpoints.glob("*.ckpt")):
        lines.append(f"next: vitcli test --ckpt_path {quoted(run.folder)}")
    return lines


def _why(trainer: pl.Trainer) -> str:
    """Why a training ended before its last epoch."""
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, EarlyStopping) and callback.stopped_epoch:
            return f"; stopped early: {callback.monitor} was no better for {counted(callback.patience, 'epoch')}"
        if isinstance(callback, Timer) and (callback.time_remaining() or 1) <= 0:
            return "; stopped by trainer.max_time"
    return ""


def _scores(verb: str, trainer: pl.Trainer, run: Run, checkpoint: Path | None) -> list[str]:
    # seven digits, as many as a float32 has
    scores = {key: float(f"{float(value):.7g}") for key, value in sorted(trainer.callback_metrics.items())}
    path = run.scores(verb)
    # JSON has no word for a number that is none, such as the AUROC of a single class
    numbers = {key: None if math.isnan(value) else value for key, value in scores.items()}
    path.write_text(json.dumps({"checkpoint": str(checkpoint), **numbers}, indent=2) + "\n", encoding="utf-8")
    lines = [f"{key} {value:.6f}" for key, value in scores.items()]
    table = _table(trainer) if verb == "test" else []
    return [*lines, *table, f"scores: {path}"]


def _table(trainer: pl.Trainer) -> list[str]:
    writer = next(callback for callback in trainer.callbacks if isinstance(callback, PredictionWriter))  # type: ignore[attr-defined]
    merged = writer.merged
    assert merged is not None
    earlier = [f"the earlier table is now {merged.kept}"] if merged.kept else []
    rows = list(read_rows(writer.table)) if merged.rows == 1 else []
    alone = [f"{row.predicted} {row.confidence:.4f}" for row in rows if row.confidence is not None]
    failed = f", {merged.errors} of them without a prediction (status=error), such as {merged.first_error}"
    images = counted(merged.rows, "image") + (failed if merged.errors else "")
    return [*earlier, f"table: {writer.table}", images, *alone]


def describe(model: Classifier, data: ImageData, verb: str) -> list[str]:
    """What is about to happen, in two lines: the net, and the images.

    Args:
        model: The classifier.
        data: Its images, scanned.
        verb: fit, validate, test or predict.
    """
    net = model.net
    counts = ", ".join(
        counted(len(data.listing(split)), "image" if split == "predict" else f"{split} image")
        for split in SPLITS_OF_STAGE[verb]
    )
    names = ", ".join(model.classes[:8]) + (", ..." if len(model.classes) > 8 else "")
    backend = type(net.backend).__name__
    # counting takes a second or so, which is nothing to a training
    effort = f", {macs(net) / 1e9:.3f} GMAC an image" if verb == "fit" else ""
    return [
        f"net: {backend}, {net.tokens} tokens x {net.dim}, {parameters(net):,} parameters{effort}",
        f"data: {counts}; {len(model.classes)} classes: {names}",
    ]
