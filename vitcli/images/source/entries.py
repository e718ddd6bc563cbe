"""Entries: the files that were found, in columns (path, size, version)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Self, final

import numpy as np
from numpy.typing import NDArray

# by which one part of a version is multiplied before another is added; odd, so that no two parts become one
SPREAD = 0x9E3779B97F4A7C15


class Entry(NamedTuple):
    """A file that was found.

    Args:
        path: Below the root, separated by ``/``.
        size: In bytes.
        version: Changes when the content does: the time of its last change in nanoseconds, or its checksum.
    """

    path: str
    size: int
    version: int


@final
class Entries:
    """Many entries, in lists: the garbage collector would scan objects again and again while more are found.

    Args:
        entries: Those to begin with.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._lists: tuple[list[str], list[int], list[int]] = [], [], []
        self.paths: Sequence[str] = self._lists[0]
        self.sizes: Sequence[int] | NDArray[np.int64] = self._lists[1]
        self.versions: Sequence[int] | NDArray[np.int64] = self._lists[2]
        for entry in entries:
            self.add(*entry)

    @classmethod
    def held(cls, paths: Sequence[str], sizes: NDArray[np.int64], versions: NDArray[np.int64]) -> Self:
        """Entries of columns that are there already, to which none is added: a million Python objects are not made.

        Args:
            paths: Of each.
            sizes: int64 (entries,).
            versions: int64 (entries,).
        """
        found = cls()
        found.paths, found.sizes, found.versions = paths, sizes, versions
        return found

    def add(self, path: str, size: int, version: int) -> None:
        """One entry more."""
        paths, sizes, versions = self._lists
        paths.append(path)
        sizes.append(size)
        versions.append(version)

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Entry]:
        sizes = self.sizes.tolist() if isinstance(self.sizes, np.ndarray) else self.sizes
        versions = self.versions.tolist() if isinstance(self.versions, np.ndarray) else self.versions
        return map(Entry, self.paths, sizes, versions)
