"""Room of a cache: how many bytes all processes keep in it, and which are removed where others are wanted."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, final

# what stays free on the disk, for checkpoints: this, or a twentieth of a small disk
RESERVE_BYTES = 2**30
# so much is removed at once, as every piece has to be looked at
LEFT_AFTER = 0.9
# what one's own root has not used for so long is of objects that were changed or removed since
STALE_SECONDS = 86400.0


class Piece(NamedTuple):
    """A file in the cache: when it was last used, how large it is, and where it lies."""

    used: float
    size: int
    path: str


@final
class Room:
    """A count of bytes that all processes of the machine share, in a file.

    A training reads each piece once an epoch, in another order each time. Where not all of them find room, removing
    those used longest ago would leave none to be found again; so what is in use stays, and what finds no room is not
    kept. Removed is what other roots have kept, unless another process reads from them now.

    Args:
        folder: Of the cache.
        root: Name of the folder in it for what is read here.
        most_bytes: Most that the whole folder holds.
    """

    def __init__(self, folder: Path, root: str, most_bytes: int) -> None:
        self.folder = folder
        self.root = root
        self.most_bytes = most_bytes
        self._in_use: int | None = None

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_in_use": None}

    def enter(self) -> None:
        """Let other processes know that the root is being read, until this one ends.

        Raises:
            OSError: The folder cannot be written.
        """
        self._in_use = os.open(self.folder / self.root / "in-use", os.O_RDWR | os.O_CREAT, 0o600)
        with contextlib.suppress(OSError):
            fcntl.flock(self._in_use, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def fits(self, size: int) -> bool:
        """Whether a whole root of so many bytes would find room, others being removed for it."""
        if size > self.most_bytes or size <= _free(self.folder):
            return size <= self.most_bytes
        own = sum(piece.size for piece in _pieces(self.folder / self.root))
        return size - own <= _free(self.folder) + sum(
            piece.size for root in self._others() for piece in _pieces(self.folder / root)
        )

    def take(self, size: int) -> bool:
        """Count so many bytes that are about to be kept; whether there is room for them.

        Raises:
            OSError: The folder cannot be written.
        """
        for turn in range(2):
            with self._counted() as counted:
                if counted.bytes + size <= self.most_bytes and size <= _free(self.folder):
                    counted.bytes += size
                    return True
            if turn or not self._make_room(size):
                break
        return False

    def give_back(self, size: int) -> None:
        """So many bytes were not kept after all."""
        with contextlib.suppress(OSError), self._counted() as counted:
            counted.bytes -= size

    def _make_room(self, size: int) -> bool:
        """Remove what is not in use; whether anything was. Of several processes one does so."""
        with contextlib.suppress(OSError), _alone(self.folder / "removing"):
            own = _pieces(self.folder / self.root)
            stale = [piece for piece in own if time.time() - piece.used > STALE_SECONDS]
            others = [piece for root in self._others() for piece in _pieces(self.folder / root)]
            kept = sum(piece.size for path in self._roots() for piece in _pieces(self.folder / path))
            wanted = max(kept + size - LEFT_AFTER * self.most_bytes, size - _free(self.folder))
            removed = 0
            for piece in sorted(stale + others):
                if removed >= wanted:
                    break
                with contextlib.suppress(OSError):
                    os.unlink(piece.path)
                    removed += piece.size
            with self._counted() as counted:
                # others may have removed some, so that there is room although nothing was left to remove
                counted.bytes = kept - removed
                return removed > 0 or kept + size <= self.most_bytes
        return False

    def _roots(self) -> list[str]:
        with contextlib.suppress(OSError), os.scandir(self.folder) as entries:
            return [entry.name for entry in entries if entry.is_dir() and entry.name != "locks"]
        return []

    def _others(self) -> list[str]:
        """Roots that no process reads now."""
        return [root for root in self._roots() if root != self.root and _is_free(self.folder / root / "in-use")]

    @contextlib.contextmanager
    def _counted(self) -> Iterator[_Count]:
        """The count, which no other process changes meanwhile.

        Raises:
            OSError: The folder cannot be written.
        """
        file = os.open(self.folder / "bytes", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
            told = os.pread(file, 32, 0)
            if told.strip().isdigit():
                before = int(told)
            else:
                before = sum(piece.size for root in self._roots() for piece in _pieces(self.folder / root))
            count = _Count(before)
            yield count
            os.pwrite(file, b"%-31d\n" % max(0, count.bytes), 0)
        finally:
            os.close(file)


class _Count:
    def __init__(self, number: int) -> None:
        self.bytes = number


def _pieces(root: Path) -> list[Piece]:
    """What is kept of a root, without its files of other kinds."""
    found = []
    with contextlib.suppress(OSError), os.scandir(root) as folders:
        for folder in folders:
            if len(folder.name) != 2:
                continue
            with contextlib.suppress(OSError), os.scandir(folder.path) as entries:
                for entry in entries:
                    with contextlib.suppress(OSError):
                        status = entry.stat()
                        found.append(Piece(status.st_mtime, status.st_size, entry.path))
    return found


def _free(folder: Path) -> int:
    """What may still be written to the disk, so that others can too."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    disk = shutil.disk_usage(folder)
    return disk.free - min(RESERVE_BYTES, disk.total // 20)


def _is_free(marker: Path) -> bool:
    with contextlib.suppress(OSError), _alone(marker):
        return True
    return not marker.exists()


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """A lock that is not waited for.

    Raises:
        OSError: Another process has it.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(file)
