"""Stores in use: a lock that each process has on a store while it reads it, so that no other run removes it."""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import suppress
from pathlib import Path

# the file of a store that is locked; its lock is this process's alone, and gone with it, however it ends
FILE = "used"
_held: dict[Path, int] = {}


def use(store: Path, lies: Path | None = None) -> None:
    """Keep others from removing a store until this process ends or gives it up; nothing if it is not there.

    On a file system without locks nobody is kept from it.

    Args:
        store: Its folder, as it will be called.
        lies: Where that folder lies now, if elsewhere.
    """
    if store in _held:
        return
    with suppress(OSError):
        file = os.open((lies or store) / FILE, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            raise
        _held[store] = file


def give_up(store: Path) -> None:
    """Let others remove a store."""
    if (file := _held.pop(store, None)) is not None:
        os.close(file)


def is_used_here(store: Path) -> bool:
    """Whether this process uses a store."""
    return store in _held


def remove(store: Path) -> None:
    """Remove a store, unless another process uses it."""
    give_up(store)
    file = None
    try:
        with suppress(FileNotFoundError):
            file = os.open(store / FILE, os.O_RDWR)
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        if file is not None:
            os.close(file)
        return
    except OSError:
        # no locks here
        pass
    shutil.rmtree(store, ignore_errors=True)
    if file is not None:
        os.close(file)
