"""CSV: rows of text from which every cell comes back as it was, carriage returns and apostrophes included."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from typing import IO, final

from vitcli.table.columns import Value, kind

# What spreadsheets take for a formula. It stands behind apostrophes, if there are any.
FORMULA = re.compile("'*[-=+@\\t\\r\\n]")
ESCAPED = re.compile("'+[-=+@\\t\\r\\n]")


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


def to_cell(value: Value, *, escape_formulas: bool = False) -> str:
    """A value as a cell; one that is not known is empty, shares have seven digits.

    A text that begins like a formula begins with an apostrophe if that is wanted. One that begins with apostrophes and
    then like a formula has one apostrophe more in every table, so that ``from_cell`` gives back what it was given.

    Args:
        value: One of a row.
        escape_formulas: Whether a spreadsheet shall find no formula in the cell.
    """
    if isinstance(value, str):
        return f"'{value}" if (FORMULA if escape_formulas else ESCAPED).match(value) else value
    if value is None:
        return ""
    return f"{value:.7g}" if isinstance(value, float) else str(value)


def from_cell(name: str, cell: str) -> Value:
    """The value that stands in a cell.

    Args:
        name: Of its column.
        cell: Its text.

    Raises:
        ValueError: No number stands where one has to.
    """
    what = kind(name)
    if what == "text":
        return cell[1:] if ESCAPED.match(cell) else cell
    if not cell:
        return None
    return float(cell) if what == "share" else int(cell)
