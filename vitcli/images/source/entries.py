"""Entries: the files that were found, in columns (path, size, version)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, final


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
        self.paths: list[str] = []
        self.sizes: list[int] = []
        self.versions: list[int] = []
        for entry in entries:
            self.add(*entry)

    def add(self, path: str, size: int, version: int) -> None:
        """One entry more."""
        self.paths.append(path)
        self.sizes.append(size)
        self.versions.append(version)

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Entry]:
        return map(Entry, self.paths, self.sizes, self.versions)
