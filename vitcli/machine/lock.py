"""Lock file: one process of all machines at a time has a thing, and another can say which one; a dead one's is free."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Self, final

from vitcli.machine.atomic import is_alive

TRIES = 5
SETTLED_AFTER_SECONDS = 0.2


class Holder(NamedTuple):
    """Who has a lock.

    Args:
        host: Name of the machine.
        pid: Number of the process; 0 if the file does not tell.
        began: When that process was started, in clock ticks since the machine was; a number is given out again.
        since: When the lock was taken, in words.
    """

    host: str
    pid: int
    began: int
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}" if self.pid else "a process of another machine"

    @classmethod
    def here(cls) -> Self:
        """This process, now."""
        return cls(socket.gethostname(), os.getpid(), began(os.getpid()), time.strftime("%Y-%m-%d %H:%M:%S"))

    @property
    def is_dead(self) -> bool:
        """Whether it is known to have ended; of another machine's that cannot be known."""
        return self.host == socket.gethostname() and not (is_alive(self.pid) and began(self.pid) == self.began)


NOBODY = Holder("", 0, 0, "")


@final
class Lock:
    """A lock file, which holds who has it.

    The system's own lock (fcntl) is on the file while the process lives, on network file systems too, and gone when it
    is killed, whatever the file says; worker processes do not inherit it. On a file system without such locks the file
    itself is the lock: it counts unless its process is known to be dead.

    Args:
        path: The file; its folder is there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    @property
    def holder(self) -> Holder:
        """Whom the file names; NOBODY if it is not there. The process that has the lock would lose it by asking."""
        try:
            file = os.open(self.path, os.O_RDONLY)
        except OSError:
            return NOBODY
        try:
            return _read(file)
        finally:
            # the system drops all locks of a process on a file when it closes any handle of it
            os.close(file)

    def take(self) -> Holder | None:
        """Take the lock until release, or until the process ends.

        Returns:
            None, or who has it.

        Raises:
            OSError: The file cannot be written.
        """
        for _ in range(TRIES):
            file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                holder = _read(file)
                os.close(file)
                return holder
            except OSError:
                os.close(file)
                return self._take_without()
            if _is_at(file, self.path):
                self._file = file
                os.ftruncate(file, 0)
                os.pwrite(file, _said(Holder.here()), 0)
                return None
            # whoever had it has removed the file between our two steps
            os.close(file)
        return NOBODY

    def release(self) -> None:
        """Let others have it, and remove the file."""
        if self._file is None:
            return
        file, self._file = self._file, None
        with suppress(OSError):
            # still held, so that nobody else's is removed
            self.path.unlink(missing_ok=True)
        os.close(file)

    def _take_without(self) -> Holder | None:
        file = os.open(self.path, os.O_RDWR)
        holder = _read(file)
        if holder.pid and not holder.is_dead:
            os.close(file)
            return holder
        os.ftruncate(file, 0)
        os.pwrite(file, _said(Holder.here()), 0)
        # of two that have found it free, the last one to write has it
        time.sleep(SETTLED_AFTER_SECONDS)
        if (holder := _read(file)) != Holder.here()._replace(since=holder.since):
            os.close(file)
            return holder
        self._file = file
        return None


def began(pid: int) -> int:
    """When a process was started, in clock ticks since the machine was; 0 where that is not told."""
    with suppress(OSError, ValueError, IndexError):
        # the name of the program, in brackets, may hold anything
        return int(
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
        )
    return 0


def _said(holder: Holder) -> bytes:
    return json.dumps(holder._asdict()).encode() + b"\n"


def _read(file: int) -> Holder:
    told: Any = None
    with suppress(OSError, ValueError):
        told = json.loads(os.pread(file, 2**12, 0))
    if not isinstance(told, dict):
        return NOBODY
    pid, start = told.get("pid"), told.get("began")
    if not isinstance(pid, int) or not isinstance(start, int):
        return NOBODY
    return Holder(str(told.get("host")), pid, start, str(told.get("since")))


def _is_at(file: int, path: Path) -> bool:
    with suppress(OSError):
        return os.path.samestat(os.fstat(file), path.stat())
    return False
