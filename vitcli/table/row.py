"""Row: one predicted image; write, read and merge prediction tables."""

from __future__ import annotations

import csv
import filecmp
import heapq
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, Self, final

from vitcli.errors import DataError

BEFORE = ("path", "label", "predicted", "confidence")
AFTER = ("width", "height", "status", "error")


@final
@dataclass(frozen=True, slots=True)
class Row:
    """One image of a prediction table.

    Args:
        path: Relative to the root, with ``/``.
        label: Name of the true class; empty when unknown.
        predicted: Name of the predicted class; empty when the image could not be read.
        confidence: Probability of the predicted class, in [0, 1].
        probabilities: One per class, in the order of the model's classes.
        width: Of the upright picture, in pixels.
        height: Of the upright picture, in pixels.
        status: ``ok`` or ``error``.
        error: Why the image could not be read; empty when it could.
    """

    path: str
    label: str = ""
    predicted: str = ""
    confidence: float | None = None
    probabilities: tuple[float, ...] = ()
    width: int | None = None
    height: int | None = None
    status: Literal["ok", "error"] = "ok"
    error: str = ""


@final
class PartWriter:
    """A process's share of a table, written as it goes: each row behind its position in the whole.

    Memory does not grow with the table. Names that are not UTF-8 are written with backslashes.
    """

    def __init__(self, path: Path, classes: Sequence[str]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._classes = classes
        self._file: IO[str] = path.open("w", encoding="utf-8", errors="backslashreplace", newline="")
        self._csv = csv.writer(self._file, lineterminator="\n")
        self._csv.writerow(["index", *header(classes)])

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
        probabilities = [_number(p) for p in row.probabilities] or [""] * len(self._classes)
        before = [row.path, row.label, row.predicted, _number(row.confidence)]
        after = [_number(row.width), _number(row.height), row.status, row.error]
        self._csv.writerow([index, *before, *probabilities, *after])

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Write what is left, down to the disk."""
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()


def header(classes: Sequence[str]) -> list[str]:
    """The columns of a table of these classes."""
    return [*BEFORE, *(f"prob_{name}" for name in classes), *AFTER]


@final
@dataclass(frozen=True, slots=True)
class Merged:
    """What became of the parts of a table.

    Args:
        rows: How many images the table holds.
        errors: How many of them could not be read.
        kept: Where an earlier, different table of that name lies now.
    """

    rows: int
    errors: int
    kept: Path | None


def merge(parts: Sequence[Path], table: Path) -> Merged:
    """Join the parts of all processes into one table in the order of the listing, each image exactly once.

    The parts are streamed, and the table appears under its name when it is whole; then the parts are removed.

    Args:
        parts: Files of PartWriter, one per process.
        table: Where the table goes.

    An earlier table of that name, if it says anything else, is kept under another.

    Raises:
        DataError: A part is missing.
        RuntimeError: An image stands in two parts, or one is left out: a fault of ours.
    """
    missing = [part for part in parts if not part.is_file()]
    if missing:
        raise DataError(f"{missing[0]}: a process left no part of the table; predict again")
    unfinished = table.with_name(f"{table.name}.unfinished")
    count = errors = 0
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        streams = [_indexed(part) for part in parts]
        names, *_ = [next(stream)[1] for stream in streams]
        out.writerow(names)
        status = len(names) - len(AFTER) + AFTER.index("status")
        for index, cells in heapq.merge(*streams, key=lambda entry: entry[0]):
            if index != count:
                raise RuntimeError(f"{table}: expected image {count} next, but a process wrote image {index}")
            out.writerow(cells)
            count += 1
            errors += cells[status] == "error"
        file.flush()
        os.fsync(file.fileno())
    differs = table.is_file() and not filecmp.cmp(unfinished, table, shallow=False)
    kept = keep_previous(table) if differs else None
    unfinished.replace(table)
    for part in parts:
        part.unlink()
    return Merged(count, errors, kept)


def write_left_out(path: Path, rows: Sequence[tuple[str, str, str]]) -> None:
    """The images that a run leaves out: split, path and reason of each."""
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["split", "path", "reason"])
        out.writerows(rows)


def keep_previous(path: Path) -> Path | None:
    """Move a file out of the way of a new one of its name; nothing is overwritten.

    Args:
        path: The name that the new file will take.

    Returns:
        Where the earlier one lies now: ``name-1`` for the first, ``name-2`` for the next; None if there was none.
    """
    if not path.exists():
        return None
    number = 1
    while (kept := path.with_name(f"{path.stem}-{number}{path.suffix}")).exists():
        number += 1
    path.rename(kept)
    return kept


def read_rows(table: Path) -> Iterator[Row]:
    """The rows of a table, one at a time."""
    with table.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        names = next(reader)
        classes = len(names) - len(BEFORE) - len(AFTER)
        for cells in reader:
            path, label, predicted, confidence = cells[: len(BEFORE)]
            width, height, status, error = cells[-len(AFTER) :]
            probabilities = cells[len(BEFORE) : len(BEFORE) + classes]
            yield Row(
                path=path,
                label=label,
                predicted=predicted,
                confidence=float(confidence) if confidence else None,
                probabilities=tuple(float(p) for p in probabilities) if confidence else (),
                width=int(width) if width else None,
                height=int(height) if height else None,
                status="error" if status == "error" else "ok",
                error=error,
            )


def _indexed(part: Path) -> Iterator[tuple[int, list[str]]]:
    with part.open(encoding="utf-8", newline="") as file:
        for number, (index, *cells) in enumerate(csv.reader(file)):
            yield (-1 if number == 0 else int(index)), cells


def _number(value: float | int | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.7g}"
