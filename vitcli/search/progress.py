"""Intermediate values of a trial: the objective after each validation, from metrics.csv while it grows."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

from vitcli.machine.bounded_json import read_json


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


def reached(finished: Path, objective: str) -> float | None:
    """What best.ckpt of a run that has ended reaches; None where its finished.json does not tell.

    Args:
        finished: A run's finished.json.
        objective: Name of the metric.
    """
    try:
        best = read_json(finished)["best"][objective]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return float(best) if isinstance(best, int | float) and math.isfinite(best) else None


def best_of(values: list[float], *, lowest: bool) -> float | None:
    """The best of some values; None if there is no number among them."""
    finite = [value for value in values if math.isfinite(value)]
    return (min(finite) if lowest else max(finite)) if finite else None
