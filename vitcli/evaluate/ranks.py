"""Areas under ROC and precision-recall curves, each class against the others, and what each image adds to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from vitcli.evaluate.evaluation import Estimate
from vitcli.evaluate.intervals import from_influences
from vitcli.evaluate.together import Together

Floats = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True)
class Areas:
    """Areas of a table.

    Args:
        auroc: Mean over classes; None if there is no class with images of its own and of others.
        average_precision: Likewise.
        per_class: Both of each class, NaN where there are none; empty without probabilities.
    """

    auroc: Estimate | None
    average_precision: Estimate | None
    per_class: tuple[tuple[float, float], ...]


def areas(scores: Floats, is_positive: NDArray[np.bool_]) -> tuple[float, float, Floats, Floats]:
    """AUROC and average precision, and the influence of each image on both.

    Equal to scikit-learn's roc_auc_score and average_precision_score. Influences are derivatives by the weight of an
    image, with the weights of positives and negatives summing to what they do: those of AUROC are DeLong's structural
    components (DeLong et al. 1988), those of average precision follow from its sum over positives.

    Args:
        scores: Probability of the class, (images,).
        is_positive: Whether an image is of it, (images,).

    Returns:
        AUROC, average precision, and influences (images,) on each; NaN and zeros where all or no images are of it.
    """
    images = len(scores)
    positives = int(is_positive.sum())
    negatives = images - positives
    if not positives or not negatives:
        return float("nan"), float("nan"), np.zeros(images), np.zeros(images)
    order = np.argsort(scores, kind="stable")[::-1]
    is_ordered = is_positive[order]
    falling = scores[order]
    # groups of equal scores, by falling score; each image belongs to one
    ends = np.append(np.flatnonzero(np.diff(falling)), images - 1)
    group = np.zeros(images, dtype=np.int64)
    group[ends[:-1] + 1] = 1
    group = np.cumsum(group)
    true = np.cumsum(is_ordered)[ends].astype(np.float64)
    false = ends + 1 - true
    true_in, false_in = np.diff(true, prepend=0), np.diff(false, prepend=0)
    # of a positive: the share of negatives below; of a negative: that of positives above; ties count half
    below = (negatives - false + false_in / 2) / negatives
    above = (true - true_in / 2) / positives
    auroc = float((true_in * below).sum() / positives)
    gains = np.where(is_ordered, (below[group] - auroc) / positives, (above[group] - auroc) / negatives)
    precision = true / (true + false)
    average = float((true_in * precision).sum() / positives)
    # an image changes the precision at its own threshold and at all lower ones
    more_true = np.cumsum((true_in * false / (true + false) ** 2)[::-1])[::-1]
    more_false = np.cumsum((true_in * true / (true + false) ** 2)[::-1])[::-1]
    gains_average = np.where(is_ordered, precision[group] - average + more_true[group], -more_false[group]) / positives
    influence, influence_average = np.empty(images), np.empty(images)
    influence[order], influence_average[order] = gains, gains_average
    return auroc, average, influence, influence_average


def mean_areas(rows: Together) -> Areas:
    """Areas: their means over the classes that have images and others, and those of each class.

    Of two classes, that of the positive one. Of several tables, means of the areas of each, for probabilities of
    several nets rank no images against each other (Forman and Scholz 2010).
    """
    one = rows.scored
    matrix = one.probabilities
    if matrix is None:
        return Areas(None, None, ())
    classes = range(len(one.classes)) if len(one.classes) != 2 else range(1, 2)
    found = np.full((rows.tables, len(one.classes), 2), np.nan)
    influences = np.zeros((len(one), 2))
    for table in range(rows.tables):
        of_table = np.flatnonzero(rows.part == table)
        for name in range(len(one.classes)):
            *found[table, name], rank, average = areas(matrix[of_table, name], one.labels[of_table] == name)
            if name in classes:
                influences[of_table] += np.column_stack([rank, average])
    with np.errstate(invalid="ignore"):
        known = np.isfinite(found[:, list(classes), 0]).sum()
        means = [_mean(found[:, list(classes), area]) for area in (0, 1)]
    strata = one.labels * rows.tables + rows.part
    estimates = [
        from_influences(mean, influences[:, area] / max(known, 1), strata, rows.copies)
        for area, mean in enumerate(means)
    ]
    per_class_means = [(_mean(found[:, name, 0]), _mean(found[:, name, 1])) for name in range(len(one.classes))]
    auroc, average_precision = (None if np.isnan(estimate.value) else estimate for estimate in estimates)
    return Areas(auroc, average_precision, tuple(per_class_means))


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
