"""Curves: what metrics.csv says of a training, a list of epochs and values for each metric, and its best epoch."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

SKIPPED = ("step", "epoch")


@final
@dataclass(frozen=True, slots=True)
class Curve:
    """A metric over a training.

    Args:
        epochs: Where it was logged, in epochs as people count: the end of the first is 1.
        values: As logged.
    """

    epochs: tuple[float, ...]
    values: tuple[float, ...]


@final
@dataclass(frozen=True, slots=True)
class Curves:
    """The curves of a run.

    Args:
        curves: By metric, such as ``val/loss``.
        monitor: The metric by which the best checkpoint is chosen; empty where there is none.
        best: The best epoch by it, and its value; None where there is none.
    """

    curves: Mapping[str, Curve]
    monitor: str = ""
    best: tuple[float, float] | None = None


def read_curves(file: Path, config: Mapping[str, Any]) -> Curves | None:
    """The curves of a run; None where there is no such file, or it holds nothing.

    The step is what a row is placed by; at the end of an epoch the row stands at that epoch.

    Args:
        file: ``metrics.csv``.
        config: The run's, which names the metric of the best checkpoint; may be empty.
    """
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError, csv.Error):
        return None
    ends = _ends_of_epochs(rows)
    curves: dict[str, Curve] = {}
    for name in rows[0] if rows else ():
        if name is None or name in SKIPPED:
            continue
        points = [(_epoch(row, ends), value) for row in rows if (value := _number(row.get(name))) is not None]
        if points:
            epochs, values = zip(*points, strict=True)
            curves[name] = Curve(epochs, values)
    if not curves:
        return None
    checkpoint = config.get("checkpoint")
    told: Mapping[str, Any] = checkpoint if isinstance(checkpoint, Mapping) else {}
    monitor = str(told.get("monitor") or "val/accuracy")
    return Curves(curves, monitor, _best(curves, monitor, str(told.get("mode") or "")))


def _ends_of_epochs(rows: list[dict[str, str]]) -> dict[int, int]:
    ends: dict[int, int] = {}
    for row in rows:
        step, epoch = _number(row.get("step")), _number(row.get("epoch"))
        if step is not None and epoch is not None:
            ends[int(epoch)] = max(ends.get(int(epoch), -1), int(step))
    return ends


def _epoch(row: Mapping[str, str], ends: Mapping[int, int]) -> float:
    """Where a row stands, in epochs: its share of the steps of its epoch."""
    step, epoch = _number(row.get("step")) or 0.0, _number(row.get("epoch"))
    if epoch is None:
        epoch = next((float(known) for known, end in sorted(ends.items()) if step <= end), float(max(ends, default=0)))
    number = int(epoch)
    start, end = ends.get(number - 1, -1), ends.get(number, int(step))
    return number + min(1.0, (step - start) / (end - start)) if end > start else number + 1.0


def _best(curves: Mapping[str, Curve], monitor: str, mode: str) -> tuple[float, float] | None:
    """The best epoch; equal scores are decided by val/loss, as the checkpoint is."""
    curve = curves.get(monitor)
    if curve is None:
        return None
    lowest = mode == "min" or (mode != "max" and "loss" in monitor)
    losses = (
        dict(zip(curves["val/loss"].epochs, curves["val/loss"].values, strict=True)) if "val/loss" in curves else {}
    )

    def order(point: tuple[float, float]) -> tuple[float, float]:
        return (point[1] if lowest else -point[1]), losses.get(point[0], 0.0)

    points = [point for point in zip(curve.epochs, curve.values, strict=True) if math.isfinite(point[1])]
    return min(points, key=order, default=None)


def _number(cell: str | None) -> float | None:
    try:
        return float(cell) if cell else None
    except ValueError:
        return None
