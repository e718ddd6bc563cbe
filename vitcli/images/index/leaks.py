"""Leaks: images of val or test whose very file lies in train too, by the digests of the index."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from vitcli.images.index.facts import SOUND, SUSPICIOUS
from vitcli.images.index.index import Index
from vitcli.images.index.splits import Pool

Found = list[tuple[str, str]]


def leaks(train: Pool, other: Pool, left_out: Collection[str] = ()) -> Found:
    """Paths of the images of a split whose content lies in train too, each with the one there.

    Args:
        train: What is trained on; files that were not looked at are not compared.
        other: Val or test.
        left_out: Paths that are used in neither.
    """
    ours, theirs = _sound(train), _sound(other)
    # the first half of a digest sorts as a number, and nearly always decides
    heads = [_heads(train.index, ours), _heads(other.index, theirs)]
    ours, theirs = ours[np.isin(heads[0], heads[1])], theirs[np.isin(heads[1], heads[0])]
    held: dict[bytes, str] = {}
    for digest, path in zip(_digests(train.index, ours), train.index.paths.take(ours), strict=True):
        if path not in left_out:
            held.setdefault(digest, path)
    pairs = zip(_digests(other.index, theirs), other.index.paths.take(theirs), strict=True)
    return [(path, held[digest]) for digest, path in pairs if digest in held and path not in left_out]


def _sound(pool: Pool) -> NDArray[np.int64]:
    """The rows of files that are pictures, in natural order."""
    rows = np.concatenate([*pool.rows.values(), np.array([], dtype=np.int64)])
    inside = np.zeros(len(pool.index), dtype=bool)
    inside[rows] = True
    inside &= np.isin(pool.index.columns["verdict"], (SOUND, SUSPICIOUS))
    order: NDArray[np.int64] = pool.index.order[inside[pool.index.order]]
    return order


def _heads(index: Index, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    return np.ascontiguousarray(index.columns["digest"][rows]).view(np.uint64)[::2]


def _digests(index: Index, rows: NDArray[np.int64]) -> list[bytes]:
    held: list[bytes] = index.columns["digest"][rows].tolist()
    return held
