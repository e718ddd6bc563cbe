"""Soundness of a table: probabilities are numbers in [0, 1] and sum to one; what follows from them is filled in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitcli.errors import DataError
from vitcli.evaluate.scored import Scored

# a sum that is farther from one than this is no rounding; one that is nearer than EXACT is left as it is
ROUNDED = 0.02
EXACT = 1e-4
# entries of a matrix that are compared at a time
CHUNK = 1 << 22


def look_at(file: Path, scored: Scored) -> Scored:
    """The same table, after a look at its numbers; with the probability and the rank of the labels.

    Args:
        file: Where it was read, for messages.
        scored: As read.

    Raises:
        DataError: A probability is no number or not in [0, 1], or a row of them does not sum to one.
    """
    is_predicted = scored.predicted >= 0
    if scored.probabilities is not None:
        # before the confidence, which may have been taken from them
        for extreme in (scored.probabilities.min(axis=1), scored.probabilities.max(axis=1)):
            _in_range(file, scored, "probability", extreme, is_predicted)
    if not np.isnan(scored.confidence[is_predicted]).all():
        _in_range(file, scored, "confidence", scored.confidence, is_predicted)
    if scored.label_probability is not None:
        known = is_predicted & (scored.labels >= 0)
        _in_range(file, scored, "label_probability", scored.label_probability, known)
    if scored.probabilities is None:
        return scored
    whole = _rescaled(file, scored, scored.probabilities, is_predicted)
    label_probability, label_rank = _of_labels(whole, scored.labels, is_predicted)
    return replace(scored, probabilities=whole, label_probability=label_probability, label_rank=label_rank)


def _rescaled(
    file: Path, scored: Scored, matrix: NDArray[np.float64], is_predicted: NDArray[np.bool_]
) -> NDArray[np.float64]:
    sums = matrix.sum(axis=1)
    off = np.where(is_predicted, np.abs(sums - 1), 0)
    if (off > ROUNDED).any():
        worst = int(off.argmax())
        raise DataError(
            f"{file}: the probabilities of {scored.paths[worst]} sum to {sums[worst]:.4g}, not to 1 "
            f"({int((off > ROUNDED).sum()):,} such rows); they have to be probabilities of every class, no logits"
        )
    is_off = off > EXACT
    # most tables are right, and a matrix may be large
    return matrix / np.where(is_off, sums, 1.0)[:, None] if is_off.any() else matrix


def _in_range(file: Path, scored: Scored, what: str, values: NDArray[np.float64], known: NDArray[np.bool_]) -> None:
    # not ``values < 0``: that is false of what is no number
    wrong = known & ~((values >= -1e-6) & (values <= 1 + 1e-6))
    if wrong.any():
        first = int(wrong.argmax())
        remedy = (
            "divide per cent by 100"
            if 1 < values[first] <= 100
            else "correct it, or take the image for unreadable (status error)"
        )
        raise DataError(
            f"{file}: {what} {values[first]:.4g} of {scored.paths[first]} is not in [0, 1] "
            f"({int(wrong.sum()):,} such rows); {remedy}"
        )


def _of_labels(
    matrix: NDArray[np.float64], labels: NDArray[np.int64], is_predicted: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Probability of each label, and its rank, 1 for the likeliest class; of classes that tie the first is likelier."""
    known = is_predicted & (labels >= 0)
    position = np.maximum(labels, 0)
    probability = np.where(known, np.take_along_axis(matrix, position[:, None], axis=1)[:, 0], np.nan)
    rank = np.zeros(len(labels), dtype=np.int64)
    classes = np.arange(matrix.shape[1])
    step = max(1, CHUNK // matrix.shape[1])
    for start in range(0, len(labels), step):
        rows = slice(start, start + step)
        own = probability[rows, None]
        before = (matrix[rows] > own) | ((matrix[rows] == own) & (classes < position[rows, None]))
        rank[rows] = 1 + before.sum(axis=1)
    return probability, np.where(known, rank, 0)
