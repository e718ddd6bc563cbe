"""Row: one predicted image, and the columns of a prediction table, which follow from its fields."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, final


@final
@dataclass(frozen=True, slots=True)
class Row:
    """One image of a prediction table; a field is a column, at its place.

    Args:
        path: Relative to the root, with ``/``.
        label: Name of the true class; empty when unknown.
        predicted: Name of the predicted class; empty when the image could not be read, or the net gave no number.
        confidence: Probability of the predicted class, in [0, 1].
        probabilities: One per class, in the order of the model's classes.
        width: Of the upright picture, in pixels.
        height: Of the upright picture, in pixels.
        status: ``ok`` or ``error``.
        error: Why there is no prediction, such as an image that could not be read; empty when there is one.
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


_NAMES = [field.name for field in fields(Row)]
_NUMBERS: dict[str, Callable[[str], float | int]] = {
    field.name: int if field.type == "int | None" else float
    for field in fields(Row)
    if field.type in ("int | None", "float | None")
}
# the probabilities are a column for each class, between the others
PROBABILITY = "prob_"
BEFORE = _NAMES[: _NAMES.index("probabilities")]
AFTER = _NAMES[_NAMES.index("probabilities") + 1 :]


# What spreadsheets take for a formula. It stands behind apostrophes, if there are any.
FORMULA = re.compile("'*[-=+@\\t\\r\\n]")
ESCAPED = re.compile("'+[-=+@\\t\\r\\n]")


def header(classes: Sequence[str]) -> list[str]:
    """The columns of a table of these classes."""
    return [*BEFORE, *(f"{PROBABILITY}{name}" for name in classes), *AFTER]


def to_cells(row: Row, classes: int, *, escape_formulas: bool = False) -> list[str]:
    """A row as the cells of a table; numbers that are not known are empty, probabilities have seven digits.

    Words that begin like a formula begin with an apostrophe if that is wanted. Those that begin with apostrophes and
    then like a formula have one apostrophe more in every table, so that ``from_cells`` gives back what it was given.

    Args:
        row: What was found of an image.
        classes: How many there are.
        escape_formulas: Whether a spreadsheet shall find no formula in the cells.
    """
    begins = FORMULA if escape_formulas else ESCAPED
    probabilities = [_cell(probability, begins) for probability in row.probabilities] or [""] * classes
    before, after = ([_cell(getattr(row, name), begins) for name in names] for names in (BEFORE, AFTER))
    return [*before, *probabilities, *after]


def unescaped(cell: str) -> str:
    """The words of a cell, without the apostrophe that ``to_cells`` has put before them."""
    return cell[1:] if ESCAPED.match(cell) else cell


def from_cells(names: Sequence[str], cells: Sequence[str]) -> Row:
    """The row that the cells of a table tell; a column that an older table lacks keeps its default.

    Args:
        names: The columns of the table.
        cells: A cell for each.
    """
    told = dict(zip(names, cells, strict=True))
    known: dict[str, Any] = {
        name: (_NUMBERS[name](told[name]) if told[name] else None) if name in _NUMBERS else unescaped(told[name])
        for name in (*BEFORE, *AFTER)
        if name in told
    }
    probabilities = (cell for name, cell in zip(names, cells, strict=True) if name.startswith(PROBABILITY) and cell)
    return Row(**known, probabilities=tuple(map(float, probabilities)))


def read_rows(table: Path) -> Iterator[Row]:
    """The rows of a table, one at a time."""
    with table.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        names = next(reader)
        yield from (from_cells(names, cells) for cells in reader)


def _cell(value: str | float | int | None, begins: re.Pattern[str]) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if begins.match(value) else value
    return f"{value:.7g}" if isinstance(value, float) else str(value)
