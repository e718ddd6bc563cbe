"""The training of a trial: ``vitcli fit`` in a process of its own, begun, watched and stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import final

from vitcli.run import Run

LOG = "output.log"
# of the end of the log that is read for the line of an error
TAIL_BYTES = 20_000
# by which Lightning hands a seed to the processes that it starts
SEEDS = ("PL_GLOBAL_SEED", "PL_SEED_WORKERS")


@final
class Training:
    """A process that does what ``vitcli fit`` does with the words given.

    It is in a session of its own, so that Ctrl-C reaches the searcher alone, which then asks it to stop, once: a second
    signal would end it without a checkpoint. When the searcher is killed, the system asks it to stop (Linux).

    Args:
        run: Its run; what it prints is added to ``output.log`` in the run's folder.
        words: The words after ``vitcli``.
    """

    def __init__(self, run: Run, words: Sequence[str]) -> None:
        self.log = run.folder / LOG
        run.folder.mkdir(parents=True, exist_ok=True)
        # what the searcher has seeded is not for its trials
        environment = {name: value for name, value in os.environ.items() if name not in SEEDS}
        with self.log.open("ab") as log:
            self._began_at = log.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "vitcli.search.child", str(os.getpid()), *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )

    @property
    def code(self) -> int | None:
        """Its exit code; None while it runs, and negative if a signal has killed it."""
        return self._process.poll()

    def ended(self, within_seconds: float) -> bool:
        """Whether it has ended after so many seconds.

        Args:
            within_seconds: For how long to wait.
        """
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(within_seconds)
        return self._process.poll() is not None

    def stop(self) -> int:
        """Ask it to save and end, and wait until it has; its exit code."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait()

    def kill(self) -> None:
        """End it and all that it has started at once."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def error(self) -> str:
        """The line in which it has told why it failed; else the last one that it has printed."""
        return error_in(self.log, self._began_at)


def error_in(log: Path, began_at: int = 0) -> str:
    """The line of an error in what vitcli has printed; else its last line; empty if there is none.

    Args:
        log: The file.
        began_at: Where in it the latest start begins.
    """
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(began_at, size - TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    told = [line for line in lines if line.startswith("vitcli fit: error: ")]
    said = [line.strip() for line in lines if line.strip()]
    return told[-1].removeprefix("vitcli fit: error: ") if told else said[-1] if said else ""
