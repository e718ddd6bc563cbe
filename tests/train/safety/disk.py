"""A disk of a few megabytes (tmpfs), which a test fills, empties and makes read-only; skipped where none can be had."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import final

import pytest

from tests.warm import Program


def read_only_of(folder: Path) -> Path:
    """Where a disk is mounted a second time, read-only."""
    return folder.with_name(f"{folder.name}-read-only")


@final
class Disk:
    """A mounted disk.

    Args:
        folder: Where it is mounted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filling = folder / "filling"
        self._read_only = read_only_of(folder)

    def fill(self) -> None:
        """Leave not a byte."""
        with self._filling.open("ab", buffering=0) as file:
            for size in (2**20, 2**12, 1):
                try:
                    while file.write(bytes(size)) == size:
                        pass
                except OSError:
                    continue

    def empty(self) -> None:
        """Make room again."""
        self._filling.unlink()

    def become_read_only(self) -> None:
        """Take no more files, whatever is open on it, as a disk with an error does."""
        # made read-only beside the folder, where nothing writes meanwhile: the kernel refuses it under a writer
        if not os.path.ismount(self._read_only):
            self._read_only.mkdir()
            subprocess.run(["mount", "--bind", self.folder, self._read_only], check=True)
            subprocess.run(["mount", "-o", "remount,bind,ro", self._read_only], check=True)
        subprocess.run(["mount", "--bind", self._read_only, self.folder], check=True)

    def become_writable(self) -> None:
        """Be as before."""
        subprocess.run(["umount", self.folder], check=True)


@contextmanager
def disk(folder: Path, megabytes: int) -> Iterator[Disk]:
    """A disk of its own.

    Args:
        folder: Where it is mounted.
        megabytes: Its size.
    """
    folder.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield Disk(folder)
    finally:
        for mounted_at in (read_only_of(folder), folder):
            while os.path.ismount(mounted_at):
                subprocess.run(["umount", "-l", mounted_at], check=True)


def until(running: Program, is_so: Callable[[], bool], within: float = 120) -> None:
    """Wait until something is so, while a program runs."""
    last = time.monotonic() + within
    while not is_so():
        assert time.monotonic() < last, running.err
        assert running.runs(0.01), running.err


def listed(folder: Path) -> list[str]:
    """The names in a folder, hidden ones too."""
    return sorted(os.listdir(folder))
