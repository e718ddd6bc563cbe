"""RowOf: the row of each of many paths, found by a hash, in 12 bytes a path."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray


@final
class RowOf:
    """The row of a path among many; a dictionary of a million paths would take a hundred times the memory.

    Args:
        paths: Each once.
        hashes: uint64 (paths,), as ``hashed`` makes them.
    """

    def __init__(self, paths: Sequence[str], hashes: NDArray[np.uint64]) -> None:
        self._paths = paths
        self._rows = np.argsort(hashes, kind="stable").astype(np.int32)
        self._hashes = hashes[self._rows]

    def __call__(self, path: str) -> int | None:
        """Its row; None if it is none of them."""
        key = hashed([path])[0]
        at = int(np.searchsorted(self._hashes, key))
        while at < len(self._hashes) and self._hashes[at] == key:
            row = int(self._rows[at])
            if self._paths[row] == path:
                return row
            at += 1
        return None


def hashed(paths: Iterable[str]) -> NDArray[np.uint64]:
    """64 bits of each path's BLAKE2b, by which its row is found."""
    digests = b"".join(hashlib.blake2b(os.fsencode(path), digest_size=8).digest() for path in paths)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)
