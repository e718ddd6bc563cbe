"""Inspection of all files of a listing, once and on all cores: unreadable ones are found, and kept with the index."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from vitcli.errors import DataError
from vitcli.images.decode.encoded import strict
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.index.facts import UNKNOWN, UNREADABLE, Facts, inspect
from vitcli.images.index.index import Index
from vitcli.images.index.listing import QUARANTINE
from vitcli.images.source.source import Source
from vitcli.machine.threads import map_some

# so many files are submitted to the threads at once
CHUNK = 512
NAMED = 3


def look_through(
    index: Index,
    rows: NDArray[np.int64],
    source: Source,
    *,
    max_pixels: int,
    white: int | None,
    threads: int,
    kept: Path | None,
) -> None:
    """Inspect the files of some rows that were not inspected yet; what was found is kept even when interrupted.

    Args:
        index: Where the facts go.
        rows: Of the files.
        source: Where they lie.
        max_pixels: Images of more pixels are not decoded.
        white: The value of white in pictures of more than 8 bits; None for what the file says.
        threads: How many files are read at once.
        kept: The file of the index, if it has one.
    """
    unknown = rows[index.columns["verdict"][rows] == UNKNOWN].tolist()
    try:
        if unknown:
            _inspect(index, unknown, source, max_pixels, white, threads)
    finally:
        if kept is not None and index.changed:
            index.save_if_possible(kept)


def _inspect(index: Index, rows: list[int], source: Source, max_pixels: int, white: int | None, threads: int) -> None:
    def look(row: int) -> Facts:
        try:
            return inspect(source.read(index.paths[row]), max_pixels, white)
        except UnreadableImage as error:
            return Facts(UNREADABLE, str(error))

    bar = tqdm(total=len(rows), desc="looking at images", unit=" images", disable=None, leave=False)
    with strict(max_pixels), ThreadPoolExecutor(threads, thread_name_prefix="inspect") as pool, bar:
        source.ahead([index.paths[row] for row in rows[:CHUNK]])
        for start in range(0, len(rows), CHUNK):
            chunk = rows[start : start + CHUNK]
            source.ahead([index.paths[row] for row in rows[start + CHUNK : start + 2 * CHUNK]])
            for row, facts in zip(chunk, map_some(pool, threads, look, chunk), strict=True):
                index.note(row, facts)
            bar.update(len(chunk))


def unusable(index: Index, rows: NDArray[np.int64], quarantined: frozenset[str]) -> dict[int, str]:
    """Positions in a listing whose files cannot be read, or are in quarantine, and why.

    Args:
        index: With facts.
        rows: Of the listing.
        quarantined: Paths that are left out in any case.
    """
    found = {
        int(position): index.reasons[int(rows[position])]
        for position in np.flatnonzero(index.columns["verdict"][rows] == UNREADABLE)
    }
    if quarantined:
        paths = index.paths.take(rows)
        found |= {position: QUARANTINE for position, path in enumerate(paths) if path in quarantined}
    return found


def check_errors(split: str, left_out: dict[str, str], count: int, *, on_error: str, max_errors: float) -> None:
    """Check that the images that cannot be read are few enough to go on without them.

    Args:
        split: train or val.
        left_out: Path and reason of each.
        count: How many images there are with them.
        on_error: skip or fail.
        max_errors: The largest share that is skipped, in [0, 1].

    Raises:
        DataError: They are a larger share than max_errors, or on_error is fail.
    """
    unreadable = {path: reason for path, reason in left_out.items() if reason != QUARANTINE}
    if not unreadable:
        return
    named = "; ".join(f"{path}: {reason}" for path, reason in list(unreadable.items())[:NAMED])
    share = len(unreadable) / count
    more = "; ..." if len(unreadable) > NAMED else ""
    what = f"{len(unreadable):,} of {count:,} {split} images cannot be read ({named}{more})"
    if on_error == "fail":
        raise DataError(
            f"data.on_error fail: {what}; repair them, leave them out with vitcli check --quarantine, or set "
            "data.on_error skip"
        )
    if share > max_errors:
        raise DataError(
            f"data.max_errors {max_errors:g}: {what}, which is a share of {share:.3g}; "
            "run vitcli check to see what is wrong with them, or raise data.max_errors"
        )
