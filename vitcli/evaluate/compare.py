"""Comparison of two tables of the same images: which is better, how sure that is, and which images changed sides."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from vitcli.errors import DataError
from vitcli.evaluate.calibration import losses
from vitcli.evaluate.evaluation import Estimate
from vitcli.evaluate.intervals import TAILS, proportion
from vitcli.evaluate.resample import resampled_means
from vitcli.evaluate.scored import Scored
from vitcli.evaluate.together import labelled_apart, rows_of, with_classes
from vitcli.names import counted, first_of, natural_order

# images that are listed
MOST = 1000


@final
@dataclass(frozen=True, slots=True)
class Changed:
    """An image that one of two tables has right, and the other wrong.

    Args:
        path: As it stands in the tables.
        label: Its class.
        first: What the first table says.
        second: What the second table says.
    """

    path: str
    label: str
    first: str
    second: str


@final
@dataclass(frozen=True, slots=True)
class Comparison:
    """Two tables of the same images, image by image. A difference is that of the first minus the second.

    Args:
        tables: Names of both.
        images: Images with a label, and a prediction in both: what everything here is of.
        left_out: Labelled images without a prediction in one of them.
        accuracy: Of both.
        both_right: Images.
        only_first: Images that only the first has right.
        only_second: Images that only the second has right.
        both_wrong: Images.
        p_value: McNemar's exact test: how often chance alone makes such a difference, if both are as good.
        differences: Of ``accuracy``, ``balanced_accuracy`` and, where both know it, ``log_loss``; intervals by paired
            bootstrap.
        changed: Images that only one has right, those of the first before those of the second, at most MOST.
    """

    tables: tuple[str, str]
    images: int
    left_out: int
    accuracy: tuple[Estimate, Estimate]
    both_right: int
    only_first: int
    only_second: int
    both_wrong: int
    p_value: float
    differences: dict[str, Estimate]
    changed: tuple[Changed, ...]


def compare(
    first: Scored, second: Scored, *, tables: tuple[str, str], seed: int = 0, resamples: int = 2000
) -> Comparison:
    """Compare two tables, paired by path.

    Args:
        first: A table.
        second: Another of the same images, in any order.
        tables: Names of both.
        seed: Of the resamples.
        resamples: How many.

    Raises:
        DataError: They are of other images, say other labels, or have no image to compare.
    """
    # a second, which only this needs
    from scipy.stats import binomtest

    first, second = _paired(first, second, tables)
    both = first.is_scored & second.is_scored
    labelled = int((first.labels >= 0).sum())
    if not both.any():
        raise DataError(
            f"{tables[0]} and {tables[1]}: no image has a label, and a prediction in both; nothing to compare"
        )
    rows = np.flatnonzero(both)
    one, other = rows_of(first, rows), rows_of(second, rows)
    right, other_right = one.labels == one.predicted, other.labels == other.predicted
    only_first, only_second = int((right & ~other_right).sum()), int((other_right & ~right).sum())
    apart = only_first + only_second
    return Comparison(
        tables=tables,
        images=len(one),
        left_out=labelled - len(one),
        accuracy=(proportion(int(right.sum()), len(one)), proportion(int(other_right.sum()), len(one))),
        both_right=int((right & other_right).sum()),
        only_first=only_first,
        only_second=only_second,
        both_wrong=int((~right & ~other_right).sum()),
        p_value=float(binomtest(only_first, apart).pvalue) if apart else 1.0,
        differences=_differences(one, other, seed, resamples),
        changed=_changed(one, other, right, other_right),
    )


def _paired(first: Scored, second: Scored, tables: tuple[str, str]) -> tuple[Scored, Scored]:
    """Both tables in the order, with the classes and with the labels of both; without matrices of probabilities."""
    position = {path: row for row, path in enumerate(second.paths)}
    shared = sum(path in position for path in first.paths)
    if shared < len(first) or shared < len(second):
        raise DataError(
            f"{tables[0]} and {tables[1]} are of other images: {shared:,} are in both, of {len(first):,} and "
            f"{len(second):,}; compare predictions of the same images"
        )
    apart = sorted(set(first.classes) ^ set(second.classes), key=natural_order)
    if apart and first.probabilities is not None and second.probabilities is not None:
        raise DataError(
            f"{tables[0]} and {tables[1]} are of other classes, such as {first_of(apart, 3)}; compare nets of the same"
        )
    # a table without probabilities of all knows only the classes that occur in it
    classes = sorted({*first.classes, *second.classes}, key=natural_order)
    rows = np.array([position[path] for path in first.paths], dtype=np.int64)
    one, other = (with_classes(replace(table, probabilities=None), classes) for table in (first, second))
    other = rows_of(other, rows)
    if apart := labelled_apart(one, other):
        raise DataError(
            f"{tables[0]} and {tables[1]} have different labels for {counted(len(apart), 'image')}, such as "
            f"{apart[0]}; compare tables with the same labels"
        )
    labels = np.maximum(one.labels, other.labels)
    return replace(one, labels=labels), replace(other, labels=labels)


def _differences(one: Scored, other: Scored, seed: int, resamples: int) -> dict[str, Estimate]:
    """Differences of means over images, with paired bootstrap: both predictions of an image are drawn together."""
    labels = one.labels
    gained = (one.predicted == labels).astype(np.float64) - (other.predicted == labels)
    support = np.bincount(labels)
    values = {"accuracy": gained, "balanced_accuracy": gained * len(labels) / (support[labels] * (support > 0).sum())}
    probabilities = [table.label_probability for table in (one, other)]
    if all(known is not None and np.isfinite(known).all() for known in probabilities):
        of_one, of_other = (losses(known) for known in probabilities if known is not None)
        values["log_loss"] = of_one - of_other
    draws = resampled_means(np.column_stack(list(values.values())), labels, resamples, seed)
    lows, highs = np.quantile(draws, TAILS, axis=0)
    return {
        name: Estimate(float(column.mean()), float(low), float(high))
        for (name, column), low, high in zip(values.items(), lows, highs, strict=True)
    }


def _changed(
    one: Scored, other: Scored, right: NDArray[np.bool_], other_right: NDArray[np.bool_]
) -> tuple[Changed, ...]:
    rows = [*np.flatnonzero(right & ~other_right).tolist(), *np.flatnonzero(other_right & ~right).tolist()]
    names = one.classes
    return tuple(
        Changed(one.paths[row], names[one.labels[row]], names[one.predicted[row]], names[other.predicted[row]])
        for row in rows[:MOST]
    )
