"""Names of rows: what stands for a row's image where other sources have the path of a file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LONGEST = 1_000


def names_of(
    tables: Sequence[str], table_of: NDArray[np.int64], numbers: NDArray[np.int64], own: Sequence[str | None]
) -> list[str]:
    """A name for each row, all different.

    Args:
        tables: Names of the tables.
        table_of: The place of each row's table among them.
        numbers: Of each row in its table.
        own: The path that each row has by itself.
    """
    if all(path is not None and _is_of_a_folder(path) for path in own) and len(set(own)) == len(own):
        return [path for path in own if path is not None]
    places = zip(table_of.tolist(), numbers.tolist(), own, strict=True)
    return [f"{tables[table]}/{number}{_behind(path)}" for table, number, path in places]


def _is_of_a_folder(path: str) -> bool:
    """Whether a path is one below a folder: relative, in a folder, and as a system would write it."""
    parts = path.split("/")
    return (
        len(parts) > 1
        and len(path) <= LONGEST
        and not {"", ".", ".."} & {*parts}
        and not any(letter in path for letter in "\\:\0")
    )


def _behind(path: str | None) -> str:
    """The name of the file that a row was, behind its number."""
    name = (path or "").replace("\\", "/").rpartition("/")[2].replace("\0", "")[-LONGEST:]
    return f"/{name}" if name not in ("", ".", "..") else ""
