"""Intermediate values of a trial: the objective after each validation, from metrics.csv while it grows."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path


def scores(metrics: Path, objective: str) -> list[float]:
    """The objective after each validation so far; a row that is still being written is left for the next look.

    Args:
        metrics: A run's metrics.csv, which need not be there yet.
        objective: Name of the metric.

    Returns:
        Its values in their order; nan where it was no number.
    """
    try:
        content = metrics.read_bytes()
    except OSError:
        return []
    # a loss of power may leave zeros for what did not reach the disk
    text = content[: content.rfind(b"\n") + 1].partition(b"\0")[0].decode("utf-8", "replace")
    found = []
    for row in csv.DictReader(io.StringIO(text, newline="")):
        cell = row.get(objective)
        if cell:
            try:
                found.append(float(cell))
            except ValueError:
                continue
    return found


def best_of(values: list[float], *, lowest: bool) -> float | None:
    """The best of some values, which is what best.ckpt reaches; None if there is no number among them."""
    finite = [value for value in values if math.isfinite(value)]
    return (min(finite) if lowest else max(finite)) if finite else None
