"""What is told of a table that is written: where it lies, how many images it holds, how many have no prediction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vitcli.names import counted
from vitcli.table.join import Joined
from vitcli.table.rows import read_rows


def has_too_many_errors(joined: Joined, max_errors: float) -> bool:
    """Whether more rows than a share have no prediction.

    Args:
        joined: The table.
        max_errors: The share, in [0, 1].
    """
    return joined.errors > max_errors * joined.rows


def table_lines(table: Path, joined: Joined, sorted_lines: Sequence[str], max_errors: float) -> list[str]:
    """Where a table lies and what it holds, a line each.

    Args:
        table: Its path.
        joined: What became of it.
        sorted_lines: What is told of the sorting of its images.
        max_errors: The largest share of rows without a prediction.
    """
    earlier = [f"the earlier table is now {joined.kept}"] if joined.kept else []
    rows = list(read_rows(table)) if joined.rows == 1 else []
    alone = [f"{row.predicted} {row.confidence:.4f}" for row in rows if row.confidence is not None]
    failed = f", {joined.errors:,} of them without a prediction (status=error), such as {joined.first_error}"
    images = counted(joined.rows, "image") + (failed if joined.errors else "")
    many = f"too many images without a prediction: more than predictions.max_errors {max_errors:g} of them"
    last = [many] if has_too_many_errors(joined, max_errors) else []
    return [*earlier, f"table: {table}", images, *alone, *sorted_lines, *last]
