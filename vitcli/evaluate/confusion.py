"""Numbers of a confusion matrix: precision, recall, F1, their means, Cohen's kappa, Matthews; of a table and resamples.

They all follow from three counts a class: images of it, images predicted to be of it, and images that are both. One
code computes them of the table and of all its resamples at once, which scikit-learn cannot; the tests hold every number
against scikit-learn's. Its conventions: what would be divided by 0 counts as 0, and means are over the classes that
occur as label or as prediction, that of recall over those that occur as label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@final
@dataclass(frozen=True, slots=True)
class Counts:
    """Images by class, of one table or of many resamples of it.

    Args:
        hits: Of the class and predicted to be, (..., classes).
        predicted: Predicted to be of it, (..., classes).
        support: Of it, (classes,).
    """

    hits: Integers
    predicted: Integers
    support: Integers


def confusion_matrix(labels: Integers, predicted: Integers, classes: int) -> Integers:
    """Images by label (row) and predicted class (column), (classes, classes)."""
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def counts_of(confusion: Integers) -> Counts:
    """The counts of a confusion matrix."""
    return Counts(confusion.diagonal(), confusion.sum(axis=0), confusion.sum(axis=1))


def resampled(confusion: Integers, resamples: int, seed: int, copies: int = 1) -> Counts:
    """The counts of resamples of the images, drawn with replacement inside each label: (resamples, classes).

    Of the images with a label only their predicted classes matter, so that a resample of them is a multinomial draw. A
    class of one image takes the outcome of any such class: right, or the class that was predicted in its place.

    Args:
        confusion: Images by label and predicted class.
        resamples: How many.
        seed: Of the draws.
        copies: How often each image was counted; as many fewer are drawn.
    """
    rng = np.random.default_rng(seed)
    classes = len(confusion)
    hits = np.zeros((resamples, classes), dtype=np.int64)
    predicted = np.zeros_like(hits)
    support = -(-confusion.sum(axis=1) // copies)
    alone = np.flatnonzero(support == 1)
    together = len(alone) > 1
    if together:
        _draw_alone(confusion, alone, rng, hits, predicted)
    for label in np.flatnonzero(support > int(together)):
        row = confusion[label]
        columns = np.flatnonzero(row)
        draws = rng.multinomial(support[label], row[columns] / row.sum(), size=resamples)
        predicted[:, columns] += draws
        if row[label]:
            hits[:, label] = draws[:, columns == label][:, 0]
    return Counts(hits, predicted, support)


def _draw_alone(
    confusion: Integers, alone: Integers, rng: np.random.Generator, hits: Integers, predicted: Integers
) -> None:
    """Count what each class of one image gets from a draw among all of them."""
    table = confusion[alone]
    rows, seen = (np.repeat(part, table[table > 0]) for part in np.nonzero(table))
    of = alone[rows]
    for label in alone:
        drawn = rng.integers(0, len(of), len(hits))
        right = of[drawn] == seen[drawn]
        # what was taken for this class is, drawn in its place, taken for the other
        wrong = np.where(seen[drawn] == label, of[drawn], seen[drawn])
        hits[:, label] = right
        predicted[np.arange(len(hits)), np.where(right, label, wrong)] += 1


def per_class(counts: Counts) -> dict[str, Floats]:
    """Precision, recall and F1 of each class, (..., classes); 0 where there is nothing to divide by."""
    support = np.broadcast_to(counts.support, counts.hits.shape)
    return {
        "precision": _share(counts.hits, counts.predicted),
        "recall": _share(counts.hits, support),
        "f1": _share(2 * counts.hits, support + counts.predicted),
    }


def over_classes(counts: Counts) -> dict[str, Floats]:
    """The numbers of the whole, (...), by name: ``accuracy``, ``macro/f1``, ``weighted/f1``, ``kappa``, and others."""
    hits, predicted, support = counts.hits.astype(np.float64), counts.predicted.astype(np.float64), counts.support
    images = float(support.sum())
    occurs = (counts.predicted + support) > 0
    numbers = {
        "accuracy": hits.sum(axis=-1) / images,
        "balanced_accuracy": _share(hits, np.broadcast_to(support, hits.shape)).sum(axis=-1) / (support > 0).sum(),
    }
    for name, values in per_class(counts).items():
        numbers[f"macro/{name}"] = values.sum(axis=-1) / occurs.sum(axis=-1)
        numbers[f"weighted/{name}"] = values @ support / images
    by_chance = predicted @ support / images**2
    agree = numbers["accuracy"]
    with np.errstate(invalid="ignore", divide="ignore"):
        # NaN, as in scikit-learn, where there is only one class
        numbers["kappa"] = (agree - by_chance) / (1 - by_chance)
        spread = (1 - (predicted / images) ** 2 @ np.ones(len(support))) * (1 - ((support / images) ** 2).sum())
        numbers["matthews"] = np.where(spread > 0, (agree - by_chance) / np.sqrt(np.maximum(spread, 0)), 0.0)
    return numbers


def _share(part: NDArray[np.generic], whole: NDArray[np.generic]) -> Floats:
    shares: Floats = np.divide(part, whole, out=np.zeros(part.shape), where=np.asarray(whole) > 0)
    return shares
