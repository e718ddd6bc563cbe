"""Files of a fit about its images: samples.png shows some, left_out.csv lists those that are not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vitcli.data import ImageData
from vitcli.data.sheet import write_sheet
from vitcli.machine.atomic import replacing
from vitcli.names import printable
from vitcli.run import Run
from vitcli.table.csv_rows import RowWriter


def show_images(run: Run, data: ImageData) -> None:
    """Write samples.png, and left_out.csv where something is left out.

    Args:
        run: The run.
        data: Its images, found and looked at.
    """
    write_sheet(data, run.samples)
    if left_out := _left_out(data):
        write_left_out(run.left_out, left_out)


def left_out_lines(run: Run, data: ImageData) -> list[str]:
    """A line on what is left out, if anything is.

    Args:
        run: The run.
        data: Its images, found and looked at.
    """
    left_out = _left_out(data)
    if not left_out:
        return []
    split, path, reason = left_out[0]
    more = f" and {len(left_out) - 1} more" if len(left_out) > 1 else ""
    return [f"left out for this run: {split} image {printable(path)}: {reason}{more}; {run.left_out}"]


def write_left_out(path: Path, rows: Sequence[tuple[str, str, str]]) -> None:
    """The images that a run leaves out: split, path and reason of each."""
    with (
        replacing(path) as part,
        part.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        out = RowWriter(file)
        for row in (("split", "path", "reason"), *rows):
            out.write(row)


def _left_out(data: ImageData) -> list[tuple[str, str, str]]:
    return [(split, *pair) for split, found in data.left_out.items() for pair in found.items()]
