"""Tables to make reports of: rows by hand, and drawn ones of any size."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

HOSTILE = (
    "<script>window.pwned=1</script>",
    '"><img src=x onerror=window.pwned=1>',
    "it's $x^2$ &amp; \u202etfel <!--",
    "</script><svg onload=window.pwned=1>",
)

Row = tuple[str, str, Sequence[float]]


def write_table(
    file: Path, classes: Sequence[str], rows: Sequence[Row], errors: Sequence[tuple[str, str, str]] = ()
) -> Path:
    """A prediction table of (path, label, probabilities), and of (path, label, reason) for unreadable images."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as opened:
        out = csv.writer(opened, lineterminator="\n")
        probabilities = [f"prob_{name}" for name in classes]
        out.writerow(["path", "label", "predicted", "confidence", *probabilities, "width", "height", "status", "error"])
        for path, label, row in rows:
            best = int(np.argmax(row))
            out.writerow([path, label, classes[best], f"{row[best]:.7g}", *(f"{p:.7g}" for p in row), 60, 40, "ok", ""])
        for path, label, reason in errors:
            out.writerow([path, label, "", "", *("" for _ in classes), "", "", "error", reason])
    return file


def drawn_rows(
    classes: Sequence[str], count: int, *, right: float = 0.85, seed: int = 0, labels: bool = True
) -> list[Row]:
    """Rows of drawn predictions, of which about a share is right."""
    rng = np.random.default_rng(seed)
    number = len(classes)
    label = rng.integers(0, number, count)
    wrong = (label + rng.integers(1, max(2, number), count)) % number
    target = np.where(rng.random(count) < right, label, wrong)
    weights = rng.exponential(1.0, (count, number))
    weights[np.arange(count), target] = weights.max(axis=1) * (1.05 + rng.exponential(2.0, count))
    probabilities = np.round(weights / weights.sum(axis=1, keepdims=True), 6)
    return [
        (f"{classes[place]}/{row:05d}.png", classes[place] if labels else "", probabilities[row].tolist())
        for row, place in enumerate(label.tolist())
    ]
