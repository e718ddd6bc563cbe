"""Work folder of a table (``predictions.csv.parts``): what a start of the same command finds of the ones before it.

``plan.json`` says on what the rows depend; ``NAME.listing`` which images there were; ``START-RANK.rows`` and the files
beside them are journals. Nothing in it is written twice, so that a process which is still alive after the others were
killed spoils nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple, final

from vitcli.errors import ConfigError
from vitcli.machine.atomic import replacing
from vitcli.table.journal import Journal, read_header
from vitcli.table.kept import Kept
from vitcli.table.listed import Changes, Listed, changes, read_listed, write_listed

PLAN = "plan.json"
LOCK = "lock"
NOTHING = Changes(0, 0, 0, [])
# the number of a start, and of a process in it
NAMED = re.compile(r"(\d+)-(\d+)[.]rows")


@final
class Work:
    """The work folder of an unfinished table.

    Args:
        folder: Its path.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: IO[bytes] | None = None

    def plan(self) -> dict[str, Any] | None:
        """What it was begun with: ``on`` what the rows depend, and which ``run``; None if it was never begun."""
        try:
            plan = json.loads((self.folder / PLAN).read_bytes())
        except (OSError, ValueError):
            return None
        return plan if isinstance(plan, dict) else None

    def begin(self, on: Mapping[str, Any], run: str, listing: str, listed: Iterable[Listed]) -> int:
        """Make the folder, or go on in it, and hold it against other processes.

        Args:
            on: What the rows depend on, in plain values.
            run: The folder of the run.
            listing: Fingerprint of the images.
            listed: The images.

        Returns:
            The number of this start, from 1.

        Raises:
            ConfigError: Another process is writing the table.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.hold()
        start = 1 + max((int(journal.name.partition("-")[0]) for journal in self.journals()), default=0)
        if not (self.folder / f"{listing}.listing").is_file():
            write_listed(self.folder / f"{listing}.listing", listed)
        with replacing(self.folder / PLAN) as part, part.open("w", encoding="utf-8") as file:
            json.dump({"on": on, "run": run}, file)
            file.flush()
            os.fsync(file.fileno())
        return start

    def hold(self) -> None:
        """Hold the folder until this process ends, or release.

        Raises:
            ConfigError: Another process holds it.
        """
        # not inherited by worker processes, which live on for some seconds after this one was killed
        lock = (self.folder / LOCK).open("ab+")
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise ConfigError(
                f"predictions.path {table_of(self.folder)}: another vitcli is writing it; wait for its end, or name "
                "another table"
            ) from error
        except OSError:
            # a file system without locks
            lock.close()
            return
        self._lock = lock

    def release(self) -> None:
        """Let other processes have it."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def journal(self, start: int, rank: int, listing: str, widths: Mapping[str, int]) -> Journal:
        """A new journal.

        Args:
            start: The number of this start.
            rank: Of this process.
            listing: Fingerprint of the images.
            widths: How many numbers each row has in the files beside it, by their ending.
        """
        return Journal(self.folder / f"{start}-{rank}.rows", {"listing": listing}, widths)

    def journals(self, start: int | None = None) -> list[Path]:
        """The journals in their order; of one start, or of all."""
        matches = filter(None, map(NAMED.fullmatch, _names(self.folder)))
        found = sorted((int(match[1]), int(match[2]), match[0]) for match in matches)
        return [self.folder / name for number, _, name in found if start in (None, number)]

    def kept(self, listing: str, listed: Collection[Listed], widths: Mapping[str, int]) -> tuple[Kept, Changes]:
        """The rows of earlier starts for the images as they are now, and how these differ from those of the last one.

        Args:
            listing: Fingerprint of the images.
            listed: The images.
            widths: How many numbers each row has in the files beside it, by their ending.
        """
        kept = Kept(len(listed), widths)
        known: dict[str, Changes | None] = {listing: None}
        since: Changes | None = None
        for journal in self.journals():
            header = read_header(journal)
            if header is None:
                continue
            name = header["listing"]
            if name not in known:
                known[name] = changes(read_listed(self.folder / f"{name}.listing"), listed)
            since = known[name]
            kept.add(journal, None if since is None else since.places)
        return kept, since or NOTHING

    def remove(self) -> None:
        """Remove the folder and all that is in it."""
        self.release()
        shutil.rmtree(self.folder)


class Found(NamedTuple):
    """The work folders of a table.

    Args:
        same: The one of the same plan; a new one if there is none.
        is_new: Whether it is new.
        others: Those of other plans.
    """

    same: Work
    is_new: bool
    others: list[Work]


def find(table: Path, on: Mapping[str, Any]) -> Found:
    """The work folder in which the rows of a table depend on the same; others are left as they are.

    Args:
        table: Path of the table.
        on: What its rows depend on, in plain values.
    """
    same: Found | None = None
    others: list[Work] = []
    pattern = re.compile(rf"{re.escape(table.name)}[.]parts(?:-(\d+))?")
    numbers = {int(match[1] or 0): match[0] for name in _names(table.parent) if (match := pattern.fullmatch(name))}
    for _, name in sorted(numbers.items()):
        work = Work(table.with_name(name))
        plan = work.plan()
        # a start that was killed before its plan was written has left no rows
        if same is None and (not work.journals() if plan is None else plan["on"] == on):
            same = Found(work, plan is None, others)
        else:
            others.append(work)
    if same is not None:
        return same
    free = next(number for number in range(len(numbers) + 1) if number not in numbers)
    return Found(Work(table.with_name(f"{table.name}.parts{f'-{free}' if free else ''}")), True, others)


def table_of(folder: Path) -> Path:
    """The table of a work folder."""
    return folder.with_name(re.sub(r"[.]parts(-\d+)?$", "", folder.name))


def differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What is not the same in two plans, as words."""
    return [name for name in now if was.get(name) != now[name]]


def _names(folder: Path) -> list[str]:
    with suppress(FileNotFoundError):
        return os.listdir(folder)
    return []
