"""Tables for the tests of evaluate: drawn ones of any size, and a hand-written one of five rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vitcli.evaluate.scored import Scored
from vitcli.table.columns import Columns
from vitcli.table.formats import open_table
from vitcli.table.row import Row

ANIMALS = ("cat", "dog", "owl")
FIVE = (
    Row("1.jpg", "cat", "cat", 0.7, (0.7, 0.2, 0.1), 640, 480),
    Row("2.jpg", "cat", "dog", 0.6, (0.3, 0.6, 0.1), 640, 480),
    Row("3.jpg", "dog", "dog", 0.8, (0.1, 0.8, 0.1), 640, 480),
    Row("4.jpg", "dog", "dog", 0.5, (0.2, 0.5, 0.3), 640, 480),
    Row("5.jpg", "owl", "owl", 0.7, (0.1, 0.2, 0.7), 640, 480),
)


def write(file: Path, rows: tuple[Row, ...] | list[Row], classes: tuple[str, ...] = ANIMALS, top: int = 0) -> Path:
    """A table in the format of its ending, as predict writes it."""
    columns = Columns(classes, top)
    writer = open_table(file, columns.names, ending=file.suffix)
    for row in rows:
        writer.write(columns.values(row))
    writer.close()
    return file


def probabilities(labels: np.ndarray, classes: int, seed: int = 0, skill: float = 1.5) -> np.ndarray:
    """What a calibrated net of that skill would say, (images, classes)."""
    noise = np.random.default_rng(seed).normal(size=(len(labels), classes))
    noise[np.arange(len(labels)), labels] += skill
    odds = np.exp(noise * skill)
    return odds / odds.sum(axis=1, keepdims=True)


def scored(
    images: int = 300, classes: int = 3, seed: int = 0, skill: float = 1.5, labels: np.ndarray | None = None
) -> Scored:
    """A table of drawn predictions."""
    rng = np.random.default_rng(seed + 1)
    labels = rng.integers(0, classes, images) if labels is None else labels
    matrix = probabilities(labels, classes, seed, skill)
    return table(labels, matrix)


def table(labels: np.ndarray, matrix: np.ndarray, paths: tuple[str, ...] | None = None) -> Scored:
    """A table of these labels and probabilities."""
    own = np.take_along_axis(matrix, labels[:, None], axis=1)
    return Scored(
        paths=paths or tuple(f"{number}.jpg" for number in range(len(labels))),
        classes=tuple(f"c{number}" for number in range(matrix.shape[1])),
        labels=labels.astype(np.int64),
        predicted=matrix.argmax(axis=1).astype(np.int64),
        confidence=matrix.max(axis=1),
        probabilities=matrix,
        label_probability=own[:, 0],
        label_rank=1 + (matrix > own).sum(axis=1),
        sizes=np.zeros((len(labels), 2), dtype=np.int64),
        errors=("",) * len(labels),
    )
