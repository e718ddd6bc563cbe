"""Backlog of checkpoints that could not be written: kept in memory, tried again, at the end put into a spare folder."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any, final

from vitcli.names import printable, quoted
from vitcli.train.output.bar import say
from vitcli.train.safety.put import put
from vitcli.train.safety.spare import Spare

RETRY_SECONDS = 60.0
# how many moments of a run are kept in memory while their files cannot be written: the newest, and the best
MOST_HELD = 2


@final
class Backlog:
    """What could not be written yet, and what is told of it: once when a file fails, and once when it is written.

    Args:
        spare: Where goes at the end what still cannot be written; None: nowhere.
    """

    def __init__(self, spare: Spare | None = None) -> None:
        self._spare = spare
        # newest last
        self._held: dict[Path, dict[str, Any] | Path] = {}
        # files of which it was told that they cannot be written
        self._failing: set[Path] = set()
        self._tried = 0.0
        self._reason = ""
        # files that were never written: where their content is instead, if anywhere
        self._unwritten: dict[Path, Path | None] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing is held."""
        return not self._held

    @property
    def is_due(self) -> bool:
        """Whether something is held that was tried a minute ago."""
        return bool(self._held) and time.monotonic() - self._tried >= RETRY_SECONDS

    def failed(self, error: OSError) -> None:
        """Note that a file could not be written just now.

        Args:
            error: Why.
        """
        self._tried, self._reason = time.monotonic(), error.strerror or str(error)

    def tell(self, path: Path, step: int, again: str) -> None:
        """Say of a file that has failed that training goes on.

        Args:
            path: The file.
            step: Of the checkpoint.
            again: When it is tried again.
        """
        self._failing.add(path)
        _say(
            f"{path}: cannot be written: {self._reason}; training goes on, and step {step} is kept in memory, to be "
            f"tried again {again}"
        )

    def succeeded(self, path: Path) -> None:
        """Say that a file is written, if it was said that it cannot be."""
        if path in self._failing:
            self._failing.remove(path)
            _say(f"{path}: is written now")

    def hold(self, path: Path, known: dict[str, Any] | Path) -> None:
        """Keep what could not be written; of moments in memory, no more than the newest and the best.

        Args:
            path: Where it belongs.
            known: Its tensors and plain values, or a file that holds them.
        """
        self._held[path] = known
        in_memory = [path for path, one in self._held.items() if not isinstance(one, Path)]
        if len({id(self._held[path]) for path in in_memory}) > MOST_HELD:
            del self._held[in_memory[0]]
            _say(f"{in_memory[0]}: given up, as memory holds newer ones that cannot be written either")

    def drop(self, path: Path) -> bool:
        """Forget what is held for a file; whether anything was."""
        return self._held.pop(path, None) is not None

    def retry(self) -> bool:
        """Try to write all that is held, up to the first that fails again; whether all is written."""
        for path, known in list(self._held.items()):
            try:
                put(known, path)
            except OSError as error:
                self.failed(error)
                return False
            del self._held[path]
            self.succeeded(path)
        return True

    def give_away(self) -> None:
        """Write into the spare folder what cannot be written where it belongs."""
        nowhere = ""
        for path, known in self._held.items():
            try:
                where = None if self._spare is None else self._spare.take(known, path)
            except OSError as error:
                where = None
                nowhere = f", and nothing into {self._spare}: {error.strerror or error}"
            self._unwritten[path] = where
        self._reason += nowhere
        self._held.clear()

    def give_up(self, path: Path) -> None:
        """Note of a file that it was never written, and that its content is nowhere."""
        self._unwritten[path] = None

    @property
    def mistake(self) -> str | None:
        """What to tell at the end of files that were never written; None if all are."""
        if not self._unwritten:
            return None
        names = ", ".join(map(str, self._unwritten))
        said = f"{names}: could not be written: {self._reason}"
        kept = [where for where in self._unwritten.values() if where is not None]
        if not kept:
            return f"{said}; make room or correct that, then give the same command again"
        run = quoted(kept[0].parent.parent)
        return f"{said}; what was learned lies in {run}; make room, or go on there: vitcli fit --ckpt_path {run}"


def _say(line: str) -> None:
    say(printable(line), sys.stderr)
