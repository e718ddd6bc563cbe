"""Child processes: ranks that this process has started, how each has ended, in words, and that none outlives it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from typing import final


@final
class Children:
    """The ranks that this process has started on its own machine.

    Args:
        processes: By rank.
    """

    def __init__(self, processes: Mapping[int, subprocess.Popen[bytes]]) -> None:
        self._processes = dict(processes)

    def __iter__(self) -> Iterator[int]:
        return iter(self._processes)

    def __contains__(self, rank: object) -> bool:
        return rank in self._processes

    def failure(self, rank: int) -> str | None:
        """How a child has ended, in words; None if it runs, or has ended with exit code 0.

        Args:
            rank: Of a child.
        """
        status = self._processes[rank].poll()
        return _ended(status) if status else None

    def end(self, seconds: float) -> None:
        """Wait for all children, and kill those that have not ended by then.

        Args:
            seconds: For all of them together.
        """
        last = time.monotonic() + seconds
        for child in self._processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, last - time.monotonic()))
        self.kill()

    def kill(self) -> None:
        """Kill all children that still run."""
        for child in self._processes.values():
            if child.poll() is None:
                child.kill()


def _ended(status: int) -> str:
    if status == -signal.SIGKILL:
        return "was killed by SIGKILL: by hand, or by the system when memory ran out"
    return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"has ended with exit code {status}"
