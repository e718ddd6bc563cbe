"""Files of a fit about its images: samples.png shows some, left_out.csv lists those that are not trained on."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from vitcli.data import ImageData
from vitcli.data.sheet import write_sheet
from vitcli.names import printable
from vitcli.run import Run


def show_images(run: Run, data: ImageData) -> list[str]:
    """Write samples.png, and left_out.csv where something is left out; a line on that, if so.

    Args:
        run: The run.
        data: Its images, found and looked at.
    """
    write_sheet(data, run.samples)
    left_out = [(split, *pair) for split, found in data.left_out.items() for pair in found.items()]
    if not left_out:
        return []
    write_left_out(run.left_out, left_out)
    split, path, reason = left_out[0]
    more = f" and {len(left_out) - 1} more" if len(left_out) > 1 else ""
    return [f"left out for this run: {split} image {printable(path)}: {reason}{more}; {run.left_out}"]


def write_left_out(path: Path, rows: Sequence[tuple[str, str, str]]) -> None:
    """The images that a run leaves out: split, path and reason of each."""
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["split", "path", "reason"])
        out.writerows(rows)
