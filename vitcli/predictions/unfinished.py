"""A table while it is being written: what earlier starts of the same command have left, and this process's journal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

from vitcli.names import counted, printable
from vitcli.predictions.images import Images
from vitcli.table.columns import Columns
from vitcli.table.join import Joined, join
from vitcli.table.journal import Entry, Journal
from vitcli.table.kept import Kept
from vitcli.table.listed import Changes
from vitcli.table.work import NOTHING, Work, differences, find


@final
class Unfinished:
    """A table that one process, or several, are about to write.

    Args:
        table: Where it goes.
        columns: Its columns.
        widths: How many numbers each row has beside its values, by name.
        images: All of its images.
        is_whole: Whether all of them are to be predicted. Of a table of some of them nothing is kept.
    """

    def __init__(
        self, table: Path, columns: Columns, widths: Mapping[str, int], images: Images, *, is_whole: bool = True
    ) -> None:
        self.table = table
        self.columns = columns
        self.widths = widths
        self.images = images
        self.is_whole = is_whole
        self.kept = Kept(len(images), widths)
        self.work = Work(table)
        self._on: Mapping[str, Any] = {}
        self._start = 0
        self._journal: Journal | None = None

    def look(self, on: Mapping[str, Any]) -> list[str]:
        """Look for the rows that earlier starts have left; on the first process.

        Args:
            on: What the rows depend on, in plain values.

        Returns:
            What to tell the user of them, a line each.

        Raises:
            ConfigError: Another process is writing the table.
        """
        self._on, found = on, find(self.table, on)
        self.work = found.same
        told = [self._of_other(other) for other in found.others]
        if found.is_new:
            return told
        self.work.hold()
        self.work.release()
        if not self.is_whole:
            self.work.remove()
            return told
        self.kept, since = self.work.kept(self.images.fingerprint, self.images, self.widths)
        if self.kept.rows or since != NOTHING:
            rows = f"{self.kept.rows:,} of {counted(len(self.images), 'row')}"
            told.append(f"going on with {self.table}: {rows} are kept{_since(since)}")
        return told

    def begin(self, run: str) -> tuple[Path, int, str]:
        """Make the work folder; on the first process.

        Args:
            run: The folder of the run.

        Returns:
            The work folder, the number of this start and the fingerprint of the images, for ``open``.

        Raises:
            ConfigError: Another process is writing the table.
        """
        listing = self.images.fingerprint
        return self.work.folder, self.work.begin(self._on, run, listing, self.images), listing

    def open(self, rank: int, folder: Path, start: int, listing: str) -> None:
        """Open the journal of a process; on each of them.

        Args:
            rank: Of the process.
            folder: The work folder.
            start: The number of this start.
            listing: Fingerprint of the images.
        """
        if folder != self.work.folder:
            self.work = Work(folder)
        self._start = start
        self._journal = self.work.journal(start, rank, listing, self.widths)

    def write(self, batch: list[Entry], numbers: Mapping[str, bytes]) -> None:
        """Append a batch to this process's journal."""
        assert self._journal is not None
        self._journal.append(batch, numbers)

    def close(self) -> None:
        """Bring this process's journal down to the disk."""
        assert self._journal is not None
        self._journal.close()

    def abandon(self) -> bool:
        """Keep what can be kept of an interrupted start; whether there is any."""
        if self._journal is None:
            return False
        self._journal.abandon()
        self.work.release()
        return True

    def join(self, *, escape_formulas: bool = False) -> Joined:
        """Write the table from the journals of all processes, and remove the work folder; on the first process.

        Raises:
            RuntimeError: An image has two rows, or none: a bug.
        """
        for journal in self.work.journals(self._start):
            twice = self.kept.add(journal)
            if twice:
                raise RuntimeError(f"{self.table}: image {twice[0]} was predicted twice")
        if self.is_whole and self.kept.rows < len(self.images):
            missing = self.kept.done().index(0)
            raise RuntimeError(f"{self.table}: image {missing} was not predicted")
        joined = join(self.kept, self.table, self.columns.names, self.work.folder, escape_formulas=escape_formulas)
        self.work.remove()
        return joined

    def _of_other(self, other: Work) -> str:
        """A line on an unfinished table of that name which is not this one."""
        plan = other.plan()
        what = (
            "made by another version" if plan is None else f"with other {', '.join(differences(plan['on'], self._on))}"
        )
        return printable(f"{other.folder}: an unfinished table {what}; left as it is, and this one begins anew")


def _since(since: Changes) -> str:
    if since == NOTHING or not (since.new or since.changed or since.gone):
        return ""
    return f"; since then {counted(since.new, 'image')} came, {since.changed:,} changed and {since.gone:,} went"
