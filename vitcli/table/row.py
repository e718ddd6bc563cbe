"""Row: one predicted image, and the columns of a prediction table, which follow from its fields."""

from __future__ import annotations

import csv
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


def header(classes: Sequence[str]) -> list[str]:
    """The columns of a table of these classes."""
    return [*BEFORE, *(f"{PROBABILITY}{name}" for name in classes), *AFTER]


def to_cells(row: Row, classes: int) -> list[str]:
    """A row as the cells of a table; numbers that are not known are empty, probabilities have seven digits.

    Args:
        row: What was found of an image.
        classes: How many there are.
    """
    probabilities = [_cell(probability) for probability in row.probabilities] or [""] * classes
    before, after = ([_cell(getattr(row, name)) for name in names] for names in (BEFORE, AFTER))
    return [*before, *probabilities, *after]


def from_cells(names: Sequence[str], cells: Sequence[str]) -> Row:
    """The row that the cells of a table tell; a column that an older table lacks keeps its default.

    Args:
        names: The columns of the table.
        cells: A cell for each.
    """
    told = dict(zip(names, cells, strict=True))
    known: dict[str, Any] = {
        name: (_NUMBERS[name](told[name]) if told[name] else None) if name in _NUMBERS else told[name]
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


def _cell(value: str | float | int | None) -> str:
    if value is None:
        return ""
    return f"{value:.7g}" if isinstance(value, float) else str(value)
