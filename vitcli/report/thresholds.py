"""Thresholds: of two classes, what each threshold on the second one's probability does on the table, for the slider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from vitcli.evaluate.evaluation import Threshold
from vitcli.evaluate.scored import Scored

STEPS = 200


@final
@dataclass(frozen=True, slots=True)
class Sliding:
    """What the slider can be set to.

    Args:
        thresholds: Rising, in [0, 1]: an image is positive where its probability is at least this.
        true_positives: Images, for each of them.
        false_positives: Images, for each of them.
        positives: Images whose label is the second class.
        negatives: Images whose label is the first class.
        start: Position of 0.5.
    """

    thresholds: tuple[float, ...]
    true_positives: tuple[int, ...]
    false_positives: tuple[int, ...]
    positives: int
    negatives: int
    start: int


def sliding(scored: Scored, advice: Sequence[Threshold] = ()) -> Sliding | None:
    """What each threshold does; None without two classes and their probabilities.

    Args:
        scored: The table.
        advice: Thresholds that the slider can be set to exactly, besides those in equal steps.
    """
    if len(scored.classes) != 2 or scored.probabilities is None or not scored.is_scored.any():
        return None
    known = scored.is_scored
    probability, is_positive = scored.probabilities[known, 1], scored.labels[known] == 1
    steps = {step / STEPS for step in range(STEPS + 1)}
    thresholds = sorted(steps | {one.threshold for one in advice if 0 <= one.threshold <= 1})
    right, wrong = np.sort(probability[is_positive]), np.sort(probability[~is_positive])
    return Sliding(
        thresholds=tuple(thresholds),
        true_positives=tuple((len(right) - np.searchsorted(right, thresholds)).tolist()),
        false_positives=tuple((len(wrong) - np.searchsorted(wrong, thresholds)).tolist()),
        positives=len(right),
        negatives=len(wrong),
        start=thresholds.index(0.5),
    )
