"""Intervals: Wilson's for proportions, stratified bootstrap for means and confusion matrices, the jackknife for ranks.

All hold the true number 95 times of 100. The labels are taken as given, and what may vary is the images of each class:
resamples are drawn inside each class (strata), so that each holds as many images of a class as the table. Classes of
one image, inside which nothing varies, are drawn from together.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitcli.evaluate.evaluation import Estimate
from vitcli.evaluate.resample import collapsed

LEVEL = 0.95
Z = NormalDist().inv_cdf((1 + LEVEL) / 2)
TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def wilson(successes: Any, of: Any) -> tuple[Floats, Floats]:
    """Wilson's score interval of proportions (Wilson 1927), as scipy's binomtest().proportion_ci(method="wilson").

    Args:
        successes: How many.
        of: Of how many; NaN comes of none.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        number = np.asarray(of, dtype=np.float64)
        share = np.asarray(successes, dtype=np.float64) / number
        middle = share + Z**2 / (2 * number)
        half = Z * np.sqrt(share * (1 - share) / number + Z**2 / (4 * number**2))
        scale = 1 + Z**2 / number
        low, high = (middle - half) / scale, (middle + half) / scale
    # what rounding leaves where all or none are right
    return np.where(share == 0, 0.0, low), np.where(share == 1, 1.0, high)


def proportion(successes: float, of: float, copies: int = 1) -> Estimate:
    """A proportion with Wilson's interval.

    Args:
        successes: How many.
        of: Of how many, not 0.
        copies: How often each image was counted; the interval is that of one count.
    """
    low, high = wilson(successes / copies, of / copies)
    return Estimate(float(successes / of), float(low), float(high))


def from_resamples(value: float, resamples: Floats, images: float) -> Estimate:
    """A score in [-1, 1] with the percentile interval of its resamples (Efron and Tibshirani 1993, chapter 13).

    Resamples of a table without a mistake are all alike, and would leave an interval of no width, as if the score were
    certain. Where they are, the ends are Wilson's for a proportion of as many images.

    Args:
        value: On the table itself.
        resamples: The same of each resample, (resamples,).
        images: How many the score is of.
    """
    known = resamples[np.isfinite(resamples)]
    if not np.isfinite(value) or not len(known):
        return Estimate(value, float("nan"), float("nan"))
    low, high = (float(end) for end in np.quantile(known, TAILS))
    if high - low < 1e-12 and (end := round(value, 9)) in (0.0, 1.0):
        low, high = (float(limit) for limit in wilson(end * images, images))
    return Estimate(value, min(low, value), max(high, value))


def from_influences(value: float, influences: Floats, strata: Integers, copies: int = 1) -> Estimate:
    """A score in [0, 1] with the interval of the infinitesimal jackknife, on the logit scale.

    The variance is that of the influences of the images inside each stratum (Jaeckel 1972; Efron 1982, chapter 6); of
    the area under a ROC curve it is DeLong's (1988). A bootstrap of ranks would sort each resample anew: 2,000 times a
    class, for the same variance.

    Args:
        value: On the table itself.
        influences: What the score gains with the weight of an image, (images,).
        strata: Of each image, from 0 on, (images,).
        copies: How often each image stands there; the interval is that of one of them.
    """
    strata = collapsed(strata, copies)
    counts = np.bincount(strata).astype(np.float64)
    sums, squares = np.bincount(strata, influences), np.bincount(strata, influences**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.maximum(squares - sums**2 / counts, 0) * counts / (counts - 1)
    variance = float(spread[counts > 1].sum()) * copies
    if not np.isfinite(value):
        return Estimate(value, float("nan"), float("nan"))
    if variance < 1e-18 or not 0 < value < 1:
        low, high = wilson(value * (images := counts[counts > 0].min()), images)
        return Estimate(value, float(low), float(high))
    slope = value * (1 - value)
    ends = np.log(value / (1 - value)) + np.array([-Z, Z]) * np.sqrt(variance) / slope
    low, high = 1 / (1 + np.exp(-ends))
    return Estimate(value, float(low), float(high))
