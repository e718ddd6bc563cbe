"""Bootstrap of means: how often each image is in a resample, drawn with replacement inside each stratum."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
# images that are drawn in all; of larger tables there are fewer resamples, but not fewer than FEWEST
DRAWN = 1_000_000_000
FEWEST = 200
# images that are drawn at a time
CHUNK = 1 << 22
# standard deviations by which the Poisson draw aims below what it may take
BELOW = 3.0


def collapsed(strata: Integers, copies: int = 1) -> Integers:
    """Strata of which those that hold one image alone are one, if there are several: (images,).

    Inside a stratum of one image nothing varies, so that a table with one image a class would seem certain. Collapsed
    strata (Cochran 1977, 5A.12) err the other way, by what differs between those classes.

    Args:
        strata: Of each image, from 0 on, (images,).
        copies: How often each image stands there.
    """
    sizes = np.bincount(strata)
    alone = (sizes > 0) & (sizes <= copies)
    return np.where(alone[strata], int(alone.argmax()), strata) if alone.sum() > 1 else strata


def resampled_means(values: Floats, strata: Integers, resamples: int, seed: int, copies: int = 1) -> Floats:
    """Means over resamples of the images: (resamples, values).

    Args:
        values: Of each image, (images, values).
        strata: Of each image, from 0 on, (images,); those of one image are joined.
        resamples: How many; of more than half a million images fewer, so that it takes seconds.
        seed: Of the draws.
        copies: How often each image stands there; a resample is of as many images as there are without copies.
    """
    resamples = min(resamples, max(FEWEST, DRAWN // len(values)))
    strata = collapsed(strata, copies)
    order = np.argsort(strata, kind="stable")
    sizes = np.bincount(strata)
    sizes = sizes[sizes > 0]
    taken = -(-sizes // copies)
    middle = values.mean(axis=0)
    # differences from the mean keep their digits in float32
    table = (values[order] - middle).astype(np.float32)
    rng = np.random.default_rng(seed)
    means = np.empty((resamples, values.shape[1]))
    step = max(1, CHUNK // len(values))
    for first in range(0, resamples, step):
        number = min(step, resamples - first)
        drawn = [_drawn(int(size), int(most), number, rng) for size, most in zip(sizes, taken, strict=True)]
        means[first : first + number] = np.hstack(drawn).astype(np.float32) @ table
    means /= taken.sum()
    means += middle
    return means


def _drawn(size: int, taken: int, number: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """How often each image of a stratum is drawn, (number, size): multinomial, with ``taken`` draws a row.

    Poisson counts given their sum N are N draws with replacement. They are drawn all at once, with a rate at which N
    stays below ``taken``; the draws that are missing then are made one by one. (Poisson bootstrap: Hanley and MacGibbon
    2006; with the sum made right it is the usual one.)
    """
    rate = max(0.0, 1 - BELOW / math.sqrt(taken)) * taken / size
    # the generator's own 64 bits are four such numbers, in a third of the time of rng.integers
    bits = rng.bit_generator.random_raw(-(-number * size // 4)).view(np.uint16)[: number * size]
    counts = _poisson(rate).take(bits, mode="wrap").reshape(number, size)
    missing = taken - counts.sum(axis=1, dtype=np.int64)
    # once in 700; to draw all of such a row one by one depends on N alone, and so favours no image
    counts[missing < 0] = 0
    missing[missing < 0] = taken
    places = np.repeat(np.arange(number) * size, missing) + rng.integers(0, size, int(missing.sum()))
    np.add.at(counts.reshape(-1), places, 1)
    return counts


@functools.lru_cache
def _poisson(rate: float) -> NDArray[np.uint8]:
    """Poisson counts by a uniform number of 16 bits, (65536,)."""
    most = 16
    shares = [math.exp(-rate) * rate**count / math.factorial(count) for count in range(most)]
    ends = np.round(np.cumsum(shares) * (1 << 16)).astype(np.int64)
    return np.searchsorted(ends, np.arange(1 << 16), side="right").astype(np.uint8)
