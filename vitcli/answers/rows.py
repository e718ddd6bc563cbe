"""Rows of a table from the probabilities of a batch: the predicted class, its confidence, all classes or the best."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vitcli.table.columns import Columns
from vitcli.table.row import Row

NO_NUMBER = "the net's output is not a number; its weights are damaged, or the training has diverged"
UNKNOWN = -1


def rows_of(
    probabilities: NDArray[np.float32],
    columns: Columns,
    labels: NDArray[np.int64] | None = None,
    threshold: float | None = None,
) -> list[Row]:
    """A row for each image, without its path, label and size.

    Args:
        probabilities: (batch, classes).
        columns: Those of the table.
        labels: (batch,), -1 where unknown; None: all are.
        threshold: Of two classes, the probability from which on the second one is predicted.
    """
    rows = _all(probabilities, columns) if not columns.top else _best(probabilities, labels, columns)
    if threshold is None:
        return rows
    return [
        row if row.status == "error" else _cut(row, shares, columns.classes, threshold)
        for row, shares in zip(rows, probabilities.tolist(), strict=True)
    ]


def _cut(row: Row, shares: list[float], classes: tuple[str, ...], threshold: float) -> Row:
    place = int(shares[1] >= threshold)
    return replace(row, predicted=classes[place], confidence=shares[place])


def _all(probabilities: NDArray[np.float32], columns: Columns) -> list[Row]:
    """What a table with a probability for each class says of each image."""
    rows = []
    for shares in probabilities.tolist():
        if all(map(math.isfinite, shares)):
            confidence = max(shares)
            predicted = columns.classes[shares.index(confidence)]
            rows.append(Row("", predicted=predicted, confidence=confidence, probabilities=tuple(shares)))
        else:
            rows.append(Row("", status="error", error=NO_NUMBER))
    return rows


def _best(probabilities: NDArray[np.float32], labels: NDArray[np.int64] | None, columns: Columns) -> list[Row]:
    """What a table of the best classes says of each image; of equal ones, the first in the model's order is better."""
    if labels is None:
        labels = np.full(len(probabilities), UNKNOWN, dtype=np.int64)
    # stable and from the largest on: the negative of a float is exact
    places = np.argsort(-probabilities, axis=1, kind="stable")
    best = places[:, : columns.top]
    shares = np.take_along_axis(probabilities, best, axis=1).tolist()
    ranks = ((places == labels[:, None]).argmax(axis=1) + 1).tolist()
    known = np.take_along_axis(probabilities, np.maximum(labels, 0)[:, None], axis=1)[:, 0].tolist()
    finite = np.isfinite(probabilities.sum(axis=1)).tolist()
    labelled = (labels >= 0).tolist()
    rows = []
    for image, (numbers, classes) in enumerate(zip(shares, best.tolist(), strict=True)):
        if not finite[image]:
            rows.append(Row("", status="error", error=NO_NUMBER))
            continue
        top = tuple((columns.classes[place], share) for place, share in zip(classes, numbers, strict=True))
        row = Row("", predicted=top[0][0], confidence=top[0][1], top=top)
        if labelled[image]:
            row = replace(row, label_probability=known[image], label_rank=ranks[image])
        rows.append(row)
    return rows
