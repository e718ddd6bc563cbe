"""Parts of a prediction table: each process writes its own, and they are merged in the listing's order."""

from __future__ import annotations

import csv
import filecmp
import heapq
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self, final

from vitcli.errors import DataError
from vitcli.machine.atomic import keep_previous
from vitcli.table.row import AFTER, Row, header, to_cells, unescaped


@final
class RowWriter:
    """CSV, row by row, from which every cell comes back as it was.

    Python's writer puts a cell with a carriage return alone into no quotes where lines end with a line feed, and its
    reader then ends the row there.

    Args:
        file: Where the rows go.
    """

    def __init__(self, file: IO[str]) -> None:
        self._plain = csv.writer(file, lineterminator="\n")
        self._quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)

    def write(self, cells: Sequence[str]) -> None:
        """Append a row."""
        (self._quoted if any("\r" in cell for cell in cells) else self._plain).writerow(cells)


@final
class PartWriter:
    """A process's share of a table, written as it goes: each row after its position in the listing.

    Memory does not grow with the table. Names that are not UTF-8 are written with backslashes.

    Args:
        path: Of the part.
        classes: Names of the classes.
        escape_formulas: Whether a spreadsheet shall find no formula in the cells.
    """

    def __init__(self, path: Path, classes: Sequence[str], *, escape_formulas: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._classes = classes
        self._escape_formulas = escape_formulas
        self._file: IO[str] = path.open("w", encoding="utf-8", errors="backslashreplace", newline="")
        self._csv = RowWriter(self._file)
        self._csv.write(["index", *header(classes)])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, index: int, row: Row) -> None:
        """Append a row.

        Args:
            index: Position of the image in the whole listing.
            row: What was found.
        """
        cells = to_cells(row, len(self._classes), escape_formulas=self._escape_formulas)
        self._csv.write([str(index), *cells])

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Write what is left, down to the disk."""
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()


@final
@dataclass(frozen=True, slots=True)
class Merged:
    """What became of the parts of a table.

    Args:
        rows: How many images the table holds.
        errors: How many of them have no prediction (status error).
        kept: Where an earlier, different table of that name lies now.
        first_error: Path and reason of the first of them; empty if there is none.
    """

    rows: int
    errors: int
    kept: Path | None
    first_error: str = ""


def merge(parts: Sequence[Path], table: Path) -> Merged:
    """Join the parts of all processes into one table in the order of the listing, each image exactly once.

    The parts are streamed, and the table appears under its name when it is whole; then the parts are removed.

    Args:
        parts: Files of PartWriter, one per process.
        table: Where the table goes.

    An earlier table of that name, if it says anything else, is kept under another.

    Raises:
        DataError: A part is missing.
        RuntimeError: An image stands in two parts, or one is left out: a bug.
    """
    missing = [part for part in parts if not part.is_file()]
    if missing:
        raise DataError(f"{missing[0]}: a process wrote no part of the table; predict again")
    unfinished = table.with_name(f"{table.name}.unfinished")
    count = errors = 0
    first_error = ""
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        out = RowWriter(file)
        streams = [_indexed(part) for part in parts]
        names, *_ = [next(stream)[1] for stream in streams]
        out.write(names)
        status = len(names) - len(AFTER) + AFTER.index("status")
        for index, cells in heapq.merge(*streams, key=lambda entry: entry[0]):
            if index != count:
                raise RuntimeError(f"{table}: expected image {count} next, but a process wrote image {index}")
            out.write(cells)
            count += 1
            if cells[status] == "error":
                errors += 1
                first_error = first_error or f"{unescaped(cells[0])}: {cells[names.index('error')]}"
        file.flush()
        os.fsync(file.fileno())
    differs = table.is_file() and not filecmp.cmp(unfinished, table, shallow=False)
    kept = keep_previous(table) if differs else None
    unfinished.replace(table)
    for part in parts:
        part.unlink()
    return Merged(count, errors, kept, first_error)


def _indexed(part: Path) -> Iterator[tuple[int, list[str]]]:
    with part.open(encoding="utf-8", newline="") as file:
        for number, (index, *cells) in enumerate(csv.reader(file)):
            yield (-1 if number == 0 else int(index)), cells
