"""Rows of a table from the probabilities of a batch: the predicted class, its confidence, all classes or the best."""

from __future__ import annotations

import math
from dataclasses import replace

from torch import Tensor

from vitcli.table.columns import Columns
from vitcli.table.row import Row

NO_NUMBER = "the net's output is not a number; its weights are damaged, or the training has diverged"


def rows_of(
    probabilities: Tensor, columns: Columns, labels: Tensor | None = None, threshold: float | None = None
) -> list[Row]:
    """A row for each image, without its path, label and size.

    Args:
        probabilities: (batch, classes).
        columns: Those of the table.
        labels: int64 (batch,), -1 where unknown; None: all are.
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


def _all(probabilities: Tensor, columns: Columns) -> list[Row]:
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


def _best(probabilities: Tensor, labels: Tensor | None, columns: Columns) -> list[Row]:
    """What a table of the best classes says of each image; of equal ones, the first in the model's order is better."""
    if labels is None:
        labels = probabilities.new_full((len(probabilities),), -1).long()
    shares, places = probabilities.sort(dim=1, descending=True, stable=True)
    ranks = ((places == labels[:, None]).int().argmax(dim=1) + 1).tolist()
    known = probabilities.gather(1, labels.clamp(min=0)[:, None])[:, 0].tolist()
    finite, labelled = probabilities.isfinite().all(dim=1).tolist(), (labels >= 0).tolist()
    rows = []
    best = zip(shares[:, : columns.top].tolist(), places[:, : columns.top].tolist(), strict=True)
    for image, (numbers, classes) in enumerate(best):
        if not finite[image]:
            rows.append(Row("", status="error", error=NO_NUMBER))
            continue
        top = tuple((columns.classes[place], share) for place, share in zip(classes, numbers, strict=True))
        row = Row("", predicted=top[0][0], confidence=top[0][1], top=top)
        if labelled[image]:
            row = replace(row, label_probability=known[image], label_rank=ranks[image])
        rows.append(row)
    return rows
