"""Ranges: files of which any range of bytes can be read; here on a disk, elsewhere in an object store."""

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, final

from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.source.braces import spelled_braces
from vitcli.images.source.entries import Entry
from vitcli.images.source.pattern import is_pattern, spelled_out
from vitcli.images.source.walk import find_files

# file handles that are kept open: a process may have 1,024 of them, also for all else
MOST_OPEN = 128


class Place(NamedTuple):
    """Where some bytes lie.

    Args:
        name: Of the file.
        start: The first byte.
        size: How many.
    """

    name: str
    start: int
    size: int


class Ranges(ABC):
    """Files below a folder (or a prefix) by names that are separated by ``/``, of which ranges are read.

    Any number of threads may read at once. It is pickled, and copied by fork, for worker processes.

    Args:
        root: As it was named: a folder, or a pattern of files.
    """

    # how much is read at once where a file is gone through from its beginning: more where each request takes long
    block_bytes = 2**18

    def __init__(self, root: str) -> None:
        self.root = root

    @abstractmethod
    def names(self) -> list[Entry]:
        """The files that are there now, as (name, size in bytes, version), in any order; the same call lists anew.

        A version is another one when the content is: the time of the last change, or a number made of an ETag; it fits
        into 63 bits.

        Raises:
            DataError: The root does not exist, or cannot be listed.
        """

    @abstractmethod
    def read(self, name: str, start: int, size: int) -> bytes:
        """Exactly so many bytes of a file.

        Args:
            name: As ``names`` has it.
            start: The first byte.
            size: How many.

        Raises:
            OSError: It is missing, cannot be read, or is no longer the one that was listed.
            EOFError: It ends before.
        """

    @abstractmethod
    def ahead(self, wanted: Sequence[tuple[str, int, int]]) -> None:
        """What will be read soon, in this order, so that it can be fetched now; each as read takes it."""

    @abstractmethod
    def beside(self, name: str) -> bytes | None:
        """A small file (a few MB at most) that lies in the root's folder, whatever the pattern; None if there is none.

        Args:
            name: A name without folders, such as ``classes.txt``.
        """

    @abstractmethod
    def folder(self) -> Path | None:
        """The folder on a disk in which what is found out about the files may be kept; None if they are on none."""

    @abstractmethod
    def where(self, name: str = "") -> str:
        """A file, or the root's folder, for a message."""


class _Handle:
    """A file that is open as long as anyone refers to this."""

    def __init__(self, path: str) -> None:
        self.number = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError, OSError):
            os.close(self.number)


@final
class FileRanges(Ranges):
    """Files on a disk.

    Args:
        root: A folder, or a pattern such as ``photos/{000..012}.tar`` or ``photos/train-*.tar``.
        follow_links: Whether links in a folder are followed.
    """

    def __init__(self, root: str, follow_links: bool = False) -> None:
        super().__init__(root)
        self.follow_links = follow_links
        self._base = _literal(root)
        self._listed: dict[str, Entry] = {}
        self._open: dict[str, _Handle] = {}

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_open": {}}

    def names(self) -> list[Entry]:
        """The visible files below the folder, or those that the pattern names."""
        if os.path.isdir(self.root):
            found = list(find_files(self.root, follow_links=self.follow_links)[0])
        else:
            paths = spelled_out([self.root] if os.path.lexists(self.root) else spelled_braces(self.root))
            found = [self._entry(path) for path in dict.fromkeys(paths) if os.path.isfile(path)]
        self._listed = {entry.path: entry for entry in found}
        return found

    def read(self, name: str, start: int, size: int) -> bytes:
        """Exactly so many bytes of a file."""
        # held here, or another thread might have the file closed, and its number given to another one
        handle = self._handle(name)
        content = os.pread(handle.number, size, start)
        while len(content) < size:
            # one call returns at most 2 GB, and less when a signal comes
            more = os.pread(handle.number, size - len(content), start + len(content))
            if not more:
                raise EOFError(f"ends at byte {start + len(content):,}")
            content += more
        return content

    def ahead(self, wanted: Sequence[tuple[str, int, int]]) -> None:
        """Nothing: the system reads ahead by itself."""

    def beside(self, name: str) -> bytes | None:
        """A small file in the folder."""
        with contextlib.suppress(OSError):
            return Path(self._base, name).read_bytes()
        return None

    def folder(self) -> Path | None:
        """The folder of the files."""
        return Path(self._base)

    def where(self, name: str = "") -> str:
        """The path of a file."""
        return os.path.join(self._base, name) if name else self._base

    def _entry(self, path: str) -> Entry:
        status = os.stat(path)
        name = os.path.relpath(path, self._base) if self._base else path
        return Entry(name.replace(os.sep, "/"), status.st_size, status.st_mtime_ns)

    def _handle(self, name: str) -> _Handle:
        """The file, opened; no lock, as dict operations are atomic and a handle outlives its entry while it is used."""
        handle = self._open.get(name)
        if handle is None:
            handle = _Handle(self.where(name))
            self._check(name, handle)
            if len(self._open) >= MOST_OPEN:
                with contextlib.suppress(KeyError, RuntimeError, StopIteration):
                    del self._open[next(iter(self._open))]
            self._open[name] = handle
        return handle

    def _check(self, name: str, handle: _Handle) -> None:
        listed = self._listed.get(name)
        if listed is not None:
            status = os.fstat(handle.number)
            if (status.st_size, status.st_mtime_ns) != (listed.size, listed.version):
                raise OSError("was changed since it was listed")


def read_image(ranges: Ranges, place: Place) -> bytes:
    """The bytes of an image that is a part of a file.

    Raises:
        UnreadableImage: They are not there, or cannot be read.
        StoreError: They lie in a store, which refuses, or has failed after all retries.
    """
    try:
        return ranges.read(*place)
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableImage(f"{place.name}: {' '.join(str(reason).split())[:80]}") from error


def _literal(root: str) -> str:
    """The folder of a root: itself, or what of a pattern's folders holds no letter of a pattern."""
    if os.path.isdir(root):
        return root
    folders = root.split("/")[:-1]
    while any(char in folder for folder in folders for char in "*?[{"):
        folders.pop()
    return "/".join(folders) or ("/" if root.startswith("/") else "")


def is_ranges_pattern(root: str) -> bool:
    """Whether a root is a pattern with ``*``, ``?``, ``[...]`` or braces, and no file or folder of that very name."""
    return is_pattern(root) or ("{" in root and not os.path.lexists(root))
