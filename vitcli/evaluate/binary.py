"""Two classes: ROC and precision-recall curves, and thresholds with what each would do on this table.

The second class is the positive one, as in scikit-learn. Thresholds are chosen on the table they are tried on, which
flatters them a little; to be sure, choose them on val and look at test.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from vitcli.evaluate.evaluation import Binary, Threshold

Floats = NDArray[np.float64]
# points that a curve keeps
MOST = 300
# precisions and recalls that are looked for
WISHED = (0.9, 0.95, 0.99)
# above every probability
NOTHING = math.nextafter(1.0, 2.0)


@final
@dataclass(frozen=True, slots=True)
class Costs:
    """What a mistake costs, of two classes.

    Args:
        false_positive: An image of the first class, predicted to be of the second.
        false_negative: The other way round.
    """

    false_positive: float
    false_negative: float


@final
@dataclass(frozen=True, slots=True)
class Cuts:
    """What each threshold does, by falling threshold, from none positive to all.

    Args:
        threshold: Each probability that occurs, behind one above all, (cuts,).
        true: Positive images at or above it, (cuts,).
        false: Negative images at or above it, (cuts,).
    """

    threshold: Floats
    true: Floats
    false: Floats

    @property
    def positives(self) -> float:
        """Positive images in all."""
        return float(self.true[-1])

    @property
    def negatives(self) -> float:
        """Negative images in all."""
        return float(self.false[-1])

    @property
    def recall(self) -> Floats:
        """Of the positive images, the share at or above each threshold."""
        return self.true / max(self.positives, 1)

    @property
    def precision(self) -> Floats:
        """Of the images at or above each threshold, the share that is positive; 1 where there is none."""
        found = self.true + self.false
        return np.divide(self.true, found, out=np.ones_like(found), where=found > 0)

    @property
    def f1(self) -> Floats:
        """Harmonic mean of both; 0 where there is nothing to divide by."""
        whole = self.true + self.false + self.positives
        return np.divide(2 * self.true, whole, out=np.zeros_like(whole), where=whole > 0)


def cuts_of(scores: Floats, is_positive: NDArray[np.bool_]) -> Cuts:
    """What each threshold does; as scikit-learn's roc_curve without dropping any.

    Args:
        scores: Probability of the positive class, (images,).
        is_positive: Whether an image is of it, (images,).
    """
    order = np.argsort(scores, kind="stable")[::-1]
    falling = scores[order]
    ends = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)
    true = np.cumsum(is_positive[order])[ends].astype(np.float64)
    begin = np.zeros(1)
    return Cuts(
        np.concatenate([begin + NOTHING, falling[ends]]),
        np.concatenate([begin, true]),
        np.concatenate([begin, ends + 1 - true]),
    )


def binary(
    scores: Floats,
    is_positive: NDArray[np.bool_],
    positive: str,
    *,
    costs: Costs | None = None,
    precisions: Sequence[float] = WISHED,
    recalls: Sequence[float] = WISHED,
) -> Binary:
    """Curves and advice.

    Args:
        scores: Probability of the positive class, (images,).
        is_positive: Whether an image is of it, (images,).
        positive: Its name.
        costs: What mistakes cost, if that is known.
        precisions: For each, the threshold of most recall that reaches it is looked for.
        recalls: For each, the threshold of most precision that reaches it is looked for.
    """
    cuts = cuts_of(scores, is_positive)
    false_rate = cuts.false / max(cuts.negatives, 1)
    roc = _thinned(false_rate, cuts.recall)
    # without the cut that finds nothing, which has no precision
    recall, precision = cuts.recall[1:], cuts.precision[1:]
    curve = _thinned(recall, precision)
    return Binary(
        positive=positive,
        roc=_points(false_rate[roc], cuts.recall[roc], cuts.threshold[roc]),
        precision_recall=_points(recall[curve], precision[curve], cuts.threshold[1:][curve]),
        advice=tuple(_advice(cuts, costs, precisions, recalls)),
    )


def _advice(
    cuts: Cuts, costs: Costs | None, precisions: Sequence[float], recalls: Sequence[float]
) -> Iterator[Threshold]:
    # argmax of two probabilities, but for a tie, in which a threshold takes the second class
    half = int(np.searchsorted(-cuts.threshold, -0.5, side="right")) - 1
    yield _described(cuts, half, "the likelier class", costs, 0.5)
    if not cuts.positives or not cuts.negatives:
        return
    yield _described(cuts, int(cuts.f1.argmax()), "best F1", costs)
    recall, precision = cuts.recall, cuts.precision
    for wished in precisions:
        reached = (precision >= wished) & (cuts.true > 0)
        if reached.any():
            # of equal recall, the highest threshold has the most precision
            yield _described(cuts, int(np.where(reached, recall, -1).argmax()), f"precision >= {wished:g}", costs)
    for wished in recalls:
        reached = recall >= wished
        yield _described(cuts, int(np.where(reached, precision, -1).argmax()), f"recall >= {wished:g}", costs)
    if costs is not None:
        goal = f"lowest cost (fp={costs.false_positive:g}, fn={costs.false_negative:g})"
        yield _described(cuts, int(_cost(cuts, costs).argmin()), goal, costs)


def _cost(cuts: Cuts, costs: Costs) -> Floats:
    """Mean cost an image of each threshold."""
    wrong = costs.false_positive * cuts.false + costs.false_negative * (cuts.positives - cuts.true)
    return wrong / (cuts.positives + cuts.negatives)


def _described(cuts: Cuts, cut: int, goal: str, costs: Costs | None, threshold: float | None = None) -> Threshold:
    true, false = int(cuts.true[cut]), int(cuts.false[cut])
    positives, negatives = int(cuts.positives), int(cuts.negatives)
    return Threshold(
        goal=goal,
        threshold=_shortest(cuts.threshold, cut) if threshold is None else threshold,
        precision=float(cuts.precision[cut]) if true + false else None,
        recall=float(cuts.recall[cut]),
        f1=float(cuts.f1[cut]),
        accuracy=(true + negatives - false) / (positives + negatives),
        true_positives=true,
        false_positives=false,
        true_negatives=negatives - false,
        false_negatives=positives - true,
        cost=None if costs is None else float(_cost(cuts, costs)[cut]),
    )


def _shortest(thresholds: Floats, cut: int) -> float:
    """The number of fewest digits that cuts at the same place: one can type it, and it does the same on this table."""
    high = float(thresholds[cut])
    low = float(thresholds[cut + 1]) if cut + 1 < len(thresholds) else 0.0
    if high >= 1:
        return high
    for digits in range(2, 16):
        # rounded once more, for 0.29 * 100 is 28.999999999999996
        short: float = round(math.floor(round(high * 10**digits, 9)) / 10**digits, digits)
        if low < short <= high:
            return short
    return high


def _thinned(x: Floats, y: Floats) -> NDArray[np.int64]:
    """Which points of a curve to keep: at most MOST, evenly along its length, and both ends."""
    if len(x) <= MOST:
        return np.arange(len(x))
    length = np.append(0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
    wished = np.linspace(0, length[-1], MOST)
    return np.unique(np.append(np.searchsorted(length, wished), [0, len(x) - 1]).clip(0, len(x) - 1))


def _points(x: Floats, y: Floats, threshold: Floats) -> tuple[tuple[float, float, float], ...]:
    return tuple(zip(x.tolist(), y.tolist(), threshold.tolist(), strict=True))
