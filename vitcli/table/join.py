"""Joining: kept rows become one table in the order of the listing, under its name when it is whole, each image once."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import final

from vitcli.machine.atomic import keep_previous
from vitcli.table.columns import FEATURES
from vitcli.table.features import FeaturesWriter, features_of
from vitcli.table.formats import format_of, open_table
from vitcli.table.kept import Kept


@final
@dataclass(frozen=True, slots=True)
class Joined:
    """What became of a table.

    Args:
        rows: How many images it holds.
        errors: How many of them have no prediction (status error).
        kept: Where an earlier, different table of that name lies now.
        first_error: Path and reason of the first of them; empty if there is none.
    """

    rows: int
    errors: int
    kept: Path | None = None
    first_error: str = ""


def join(kept: Kept, table: Path, names: Sequence[str], scratch: Path, *, escape_formulas: bool = False) -> Joined:
    """Write the table of kept rows; an earlier one of that name, if it says anything else, is kept under another.

    Features are a column of Parquet, and a file beside CSV and JSON lines.

    Args:
        kept: The rows.
        table: Where the table goes; its ending is its format.
        names: The header.
        scratch: A folder on the same disk for what is not whole yet.
        escape_formulas: Whether a spreadsheet shall find no formula in the cells of CSV.

    Raises:
        OSError: It cannot be written, such as on a full disk; the rows stay kept.
    """
    status, error = names.index("status"), names.index("error")
    width = kept.widths.get(FEATURES, 0)
    ending = format_of(table)
    is_column = bool(width) and ending == ".parquet"
    part, numbers = scratch / "table", scratch / "features"
    errors, first_error = 0, ""
    try:
        with ExitStack() as files:
            rows = files.enter_context(kept.opened())
            column = width if is_column else 0
            writer = open_table(part, names, ending=ending, escape_formulas=escape_formulas, width=column)
            files.enter_context(writer)
            own = FeaturesWriter(numbers, kept.rows, width) if width and not is_column else None
            if own is not None:
                files.enter_context(own)
            for position, values in rows.all_values():
                features = rows.numbers(position, FEATURES) if width else b""
                writer.write(values, features)
                if own is not None:
                    own.write(features)
                if values[status] == "error":
                    errors += 1
                    first_error = first_error or f"{values[0]}: {values[error]}"
    except OSError as failed:
        failed.filename = failed.filename or os.fspath(table)
        raise
    previous, beside = None, features_of(table)
    if _differs(part, table):
        previous = set_aside(table)
    if own is not None:
        if _differs(numbers, beside):
            keep_previous(beside)
        numbers.replace(beside)
    part.replace(table)
    return Joined(kept.rows, errors, previous, first_error)


def set_aside(table: Path) -> Path | None:
    """Move a table, and the features beside it, out of the way; where the table lies now, or None if there was none.

    Args:
        table: The file.
    """
    previous, beside = keep_previous(table), features_of(table)
    if previous is not None and beside.is_file():
        beside.rename(features_of(previous))
    return previous


def _differs(new: Path, earlier: Path) -> bool:
    """Whether there is an earlier file of that name, and it holds anything else."""
    return earlier.is_file() and not filecmp.cmp(new, earlier, shallow=False)
