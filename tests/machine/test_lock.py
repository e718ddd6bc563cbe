"""A lock is held by one process, which the others can name, and by none that has ended."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import socket
from pathlib import Path

import pytest

from tests.warm import Warm
from vitcli.machine.lock import Holder, Lock

HOLD = """
import sys, time
from pathlib import Path
from vitcli.machine.lock import Lock
lock = Lock(Path(sys.argv[1]))
print(lock.take(), flush=True)
time.sleep(60)
"""


def test_another_process_is_told_who_has_it_until_that_one_is_killed(tmp_path: Path, programs: Warm):
    path = tmp_path / "lock"
    holding = programs.start(path, code=HOLD)
    holding.until("None\n")
    holder = Lock(path).take()
    assert holder is not None
    assert (holder.pid, holder.host) == (holding.pid, socket.gethostname())
    assert str(holder).startswith(f"process {holding.pid} on {socket.gethostname()} since 2")
    assert not holder.is_dead
    holding.send(signal.SIGKILL)
    holding.done()
    assert holder.is_dead
    assert path.is_file()
    lock = Lock(path)
    assert lock.take() is None
    assert json.loads(path.read_text())["pid"] == os.getpid()
    lock.release()
    lock.release()
    assert not path.exists()


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system on which the system's own locks cannot be had."""

    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "lockf", none)


def test_where_there_are_no_locks_the_file_counts_unless_its_process_is_dead(tmp_path: Path, no_locks: None):
    path = tmp_path / "lock"
    lock = Lock(path)
    assert lock.take() is None
    assert (holder := Lock(path).take()) is not None
    assert holder.pid == os.getpid()
    lock.release()
    assert not path.exists()
    # the number was given to another process since
    for stale in (Holder.here()._replace(began=1), Holder.here()._replace(pid=4_000_000)):
        path.write_text(json.dumps(stale._asdict()))
        lock = Lock(path)
        assert lock.take() is None
        lock.release()
    elsewhere = Holder.here()._replace(host="elsewhere")
    path.write_text(json.dumps(elsewhere._asdict()))
    assert Lock(path).take() == elsewhere


@pytest.mark.parametrize("text", ["", "\0" * 100, "[1]", '{"pid": "x"}'])
def test_a_lock_file_that_says_nothing_is_taken(tmp_path: Path, text: str):
    path = tmp_path / "lock"
    path.write_text(text)
    lock = Lock(path)
    assert lock.take() is None
    lock.release()
