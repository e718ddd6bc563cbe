"""The folder of a study, its files, and who is at work on which of its trials."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from vitcli.errors import ConfigError
from vitcli.machine.lock import Lock
from vitcli.run import Run

# proposing takes a fraction of a second
PATIENCE_SECONDS = 120.0
# how often an owner gives a sign of life, and after how long without one another machine's counts as dead
BEAT_SECONDS = 5.0
SILENT_SECONDS = 60.0


@final
@dataclass(frozen=True)
class StudyFolder:
    """``runs/<study>``: the journal, the page, and a run's folder for each trial.

    Args:
        path: The folder.
    """

    path: Path

    @property
    def journal(self) -> Path:
        """Optuna's log of all that happened."""
        return self.path / "journal.log"

    @property
    def about(self) -> Path:
        """What is searched, by which a second command is known to mean the same."""
        return self.path / "study.json"

    @property
    def table(self) -> Path:
        """The trials, a row each."""
        return self.path / "trials.csv"

    @property
    def page(self) -> Path:
        """The results; its charts lie in ``search/`` beside it."""
        return self.path / "search.html"

    def run(self, number: int) -> Run:
        """The run of a trial."""
        return Run(self.path / f"trial-{number:03d}")

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """While this lasts, no other searcher proposes a trial or takes one up.

        Raises:
            ConfigError: Another has it for minutes, or it cannot be written.
        """
        lock = Lock(self.path / ".search.lock")
        last = time.monotonic() + PATIENCE_SECONDS
        while (holder := lock.take()) is not None:
            if time.monotonic() > last:
                raise ConfigError(
                    f"--study {self.path}: held by {holder} for {PATIENCE_SECONDS:.0f} seconds; "
                    f"if that process is gone, remove {lock.path}"
                )
            time.sleep(0.05)
        try:
            yield
        finally:
            lock.release()


@final
@dataclass
class Owners:
    """Who trains which trial: the lock file in its folder, which ends with its process.

    The system frees the lock of a process that was killed. Some network disks are mounted so that locks hold on one
    machine only: so an owner also touches its file, and one of another machine is left alone until it was silent.

    Args:
        folder: Of the study.
    """

    folder: StudyFolder
    _heard: dict[int, tuple[int, float]] = field(default_factory=dict)

    def take(self, number: int) -> Lock | None:
        """The lock of a trial, taken; None while somebody is at work on it, or a training that outlived its searcher.

        Args:
            number: Of the trial.
        """
        run = self.folder.run(number)
        run.folder.mkdir(parents=True, exist_ok=True)
        lock = Lock(run.folder / ".search.lock")
        host = lock.holder.host
        if host not in ("", socket.gethostname()) and not self._is_silent(number, lock.path):
            return None
        if lock.take() is not None:
            return None
        if not _is_free(Lock(run.lock("fit"))):
            lock.release()
            return None
        return lock

    def _is_silent(self, number: int, path: Path) -> bool:
        """Whether a file was not touched for a while, by this machine's clock and not by that of the disk."""
        try:
            touched = path.stat().st_mtime_ns
        except OSError:
            return True
        now = time.monotonic()
        before, since = self._heard.get(number, (0, now))
        if before != touched:
            self._heard[number] = (touched, now)
            return False
        return now - since > SILENT_SECONDS


@final
class Heartbeat:
    """Touches a lock file every few seconds.

    Args:
        lock: One that this process has.
    """

    def __init__(self, lock: Lock) -> None:
        self._path = lock.path
        self._due = 0.0

    def beat(self) -> None:
        """Touch it, if that is due."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + BEAT_SECONDS
        # by its name: to open and close it would free the lock
        with contextlib.suppress(OSError):
            os.utime(self._path)


def _is_free(lock: Lock) -> bool:
    """Whether nobody has a lock; it is let go again."""
    if not lock.path.exists():
        return True
    if lock.take() is not None:
        return False
    lock.release()
    return True
