"""Kept: a cache of objects on the local disk, of limited size, shared by all processes of the machine, never half."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from multiprocessing import parent_process
from pathlib import Path
from typing import final

from vitcli.images.source.remote.room import Room
from vitcli.machine.atomic import part_of, sweep

CHECKSUM_BYTES = 4
# the time of a piece's last use is noted no more often than this
NOTED_SECONDS = 3600.0
# how long nothing more is kept where there was no room, as all pieces are looked at to find some, or after an error
FULL_SECONDS, FAILED_SECONDS = 600.0, 60.0
POLL_SECONDS = 0.01


@final
class Kept:
    """Pieces of objects by their keys, a file each with a checksum at its end.

    A piece gets its name once it is whole. It is not synced to the disk: what a loss of power leaves of it does not fit
    its checksum, and is fetched again. What fails here, as a full disk, only costs time.

    Args:
        folder: Of the cache; it holds a folder for each root.
        root: A name of what is read, of letters and digits.
        most_bytes: Most that the whole folder holds; 0 keeps nothing.
        patience_seconds: How long another process is waited for that fetches the same piece.
    """

    def __init__(self, folder: Path, root: str, most_bytes: int, patience_seconds: float) -> None:
        self.folder = folder
        self.own = folder / root
        self.patience_seconds = patience_seconds
        self.room = Room(folder, root, most_bytes)
        self._process = 0
        self._paused_until = 0.0
        # written by this process, or read in parts, at the first of which their checksum was compared
        self._sound: set[str] = set()

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_process": 0, "_sound": set()}

    def has(self, key: str) -> bool:
        """Whether there is a file of this name; what is in it is looked at when it is read."""
        return os.path.exists(self._file(key))

    def get(self, key: str, size: int, start: int = 0, count: int | None = None) -> bytes | None:
        """A piece, or some bytes of it; None where it is not kept.

        Args:
            key: Of the piece.
            size: Of the whole piece.
            start: The first byte that is wanted.
            count: How many bytes are wanted; None: all behind it.
        """
        count = size - start if count is None else count
        try:
            file = os.open(self._file(key), os.O_RDONLY)
        except OSError:
            return None
        try:
            if count < size and key in self._sound:
                content = os.pread(file, count, start)
                return content if len(content) == count else None
            content = _all(file, size + CHECKSUM_BYTES + 1)
            if len(content) != size + CHECKSUM_BYTES or _checksum(content[:size]) != content[size:]:
                self._drop(key)
                return None
            if time.time() - os.fstat(file).st_mtime > NOTED_SECONDS:
                os.utime(file)
        except OSError:
            return None
        finally:
            os.close(file)
        if count < size:
            self._sound.add(key)
        return content[start : start + count]

    def put(self, key: str, content: bytes) -> bool:
        """Keep a piece; whether it is kept."""
        if not self.room.most_bytes or time.monotonic() < self._paused_until:
            return False
        try:
            self._begin()
            if not self.room.take(len(content) + CHECKSUM_BYTES):
                self._paused_until = time.monotonic() + FULL_SECONDS
                return False
            self._write(key, content)
            self._sound.add(key)
        except OSError as error:
            self._paused_until = time.monotonic() + FAILED_SECONDS
            if parent_process() is None:
                told = error.strerror or error
                print(f"data.remote: {self.folder}: {told}; going on without keeping more", file=sys.stderr)
            return False
        return True

    @contextlib.contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """Keep other threads and processes from fetching the same piece; the system lets go when one is killed."""
        try:
            locks = self.folder / "locks"
            locks.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = os.open(locks / key[:3], os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            yield
            return
        try:
            until = time.monotonic() + self.patience_seconds
            while not _locked(file) and time.monotonic() < until:
                time.sleep(POLL_SECONDS)
            yield
        finally:
            os.close(file)

    def _begin(self) -> None:
        """Once in each process: folders, and what killed processes have left."""
        if self._process == os.getpid():
            return
        parts = self.own / "parts"
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        parts.mkdir(parents=True, exist_ok=True)
        sweep(parts)
        self.room.enter()
        self._process = os.getpid()

    def _write(self, key: str, content: bytes) -> None:
        file = self._file(key)
        part = part_of(self.own / "parts" / f"{key}-{threading.get_ident()}")
        try:
            with open(part, "wb") as stream:
                stream.write(content)
                stream.write(_checksum(content))
            try:
                os.replace(part, file)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(file), exist_ok=True)
                os.replace(part, file)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            self.room.give_back(len(content) + CHECKSUM_BYTES)
            raise

    def _drop(self, key: str) -> None:
        with contextlib.suppress(OSError):
            os.unlink(self._file(key))

    def _file(self, key: str) -> str:
        return f"{self.own}/{key[:2]}/{key[2:]}"


def _checksum(content: bytes) -> bytes:
    return zlib.crc32(content).to_bytes(CHECKSUM_BYTES, "big")


def _all(file: int, most: int) -> bytes:
    content = os.read(file, most)
    while len(content) < most and (more := os.read(file, most - len(content))):
        content += more
    return content


def _locked(file: int) -> bool:
    """Whether a lock was taken; where the file system has none, it counts as taken."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
