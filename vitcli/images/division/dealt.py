"""Stratified group k-fold: whole groups of images dealt to parts, so that each part has its share of every class.

Greedy, the largest groups first, each to the part where the classes are furthest behind. For images without groups it
is the apportionment of Sainte-Lague class by class, hence stratified k-fold; for one class it is the scheduling rule
"longest processing time first" (Graham 1969). scikit-learn's StratifiedGroupKFold has the same aim, but its folds
depend on its version, on the order of the images, and on numpy's random numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# sizes are whole numbers; shares of them are rounded
ROUNDING = 1e-6


def dealt(
    labels: NDArray[np.int64], groups: NDArray[np.int64], ranks: NDArray[np.uint64], shares: Sequence[float]
) -> NDArray[np.int64]:
    """The part of each image: a pure function of classes, groups and hashes, in whatever order the images come.

    Parts of equal shares differ by at most the size of the largest group; of other shares, a part has at most that much
    more than its share.

    Args:
        labels: int64 (images,), the class of each, from 0 on.
        groups: int64 (images,), the group of each, from 0 on; an image without one is a group of its own.
        ranks: uint64 (images,), a hash of each; the smallest of a group decides between groups of one size.
        shares: Of each part, above 0, in sum 1.

    Returns:
        int64 (images,), places among the parts.
    """
    if not len(labels):
        return np.zeros(0, dtype=np.int64)
    sizes = np.bincount(groups)
    order = _order(labels, groups, ranks, sizes)
    are_equal = len(set(shares)) == 1
    if sizes.max() == 1 and are_equal:
        # what follows would deal them out in turn, a million of them in a quarter of a minute
        turns = np.empty(len(sizes), dtype=np.int64)
        turns[order] = np.arange(len(sizes)) % len(shares)
        return turns[groups]
    totals = np.bincount(labels).tolist()
    held = _classes(labels, groups)
    largest = int(sizes.max())
    places, dealt_out = range(len(shares)), 0
    filled = [0] * len(shares)
    # images of each part over its share, and images of each class in each part
    levels = [0.0] * len(shares)
    counts = [[0] * len(shares) for _ in totals]
    parts = np.zeros(len(sizes), dtype=np.int64)
    for group in order.tolist():
        classes, size = held[group], int(sizes[group])
        # no part runs away, from the others or from its share, whatever its classes lack
        dealt_out += size
        level, most = min(levels) if are_equal else dealt_out, largest - size + ROUNDING
        best, least, lowest = -1, 0.0, 0.0
        for part in places:
            if filled[part] > shares[part] * level + most:
                continue
            # how much the sum of squares of the classes' shares would grow
            growth = 0.0
            for label, count in classes:
                growth += count * (2 * counts[label][part] + count) / (totals[label] * totals[label])
            growth /= shares[part]
            if best < 0 or growth < least or (growth == least and levels[part] < lowest):
                best, least, lowest = part, growth, levels[part]
        parts[group] = best
        filled[best] += size
        levels[best] = filled[best] / shares[best]
        for label, count in classes:
            counts[label][best] += count
    chosen: NDArray[np.int64] = parts[groups]
    return chosen


def _classes(labels: NDArray[np.int64], groups: NDArray[np.int64]) -> list[list[tuple[int, int]]]:
    """The classes of each group, and how many images of each."""
    classes = int(labels.max()) + 1
    pairs, counts = np.unique(groups * classes + labels, return_counts=True)
    held: list[list[tuple[int, int]]] = [[] for _ in range(int(groups.max()) + 1)]
    for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
        held[pair // classes].append((pair % classes, count))
    return held


def _order(
    labels: NDArray[np.int64], groups: NDArray[np.int64], ranks: NDArray[np.uint64], sizes: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The groups, the largest ones first, those of one size class by class, and then by their hashes."""
    rank = np.full(len(sizes), np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(rank, groups, ranks)
    first = np.full(len(sizes), np.iinfo(np.int64).max, dtype=np.int64)
    np.minimum.at(first, groups, labels)
    return np.lexsort((rank, first, -sizes))
