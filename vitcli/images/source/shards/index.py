"""The index of shards: each shard is gone through once, many at a time, and again only when it has changed."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from vitcli.images.source.entries import Entry
from vitcli.images.source.ranges import Ranges
from vitcli.images.source.shards.look import look
from vitcli.images.source.shards.table import Table
from vitcli.machine.threads import cores

STEM = "vitcli-shards"
# of shards that lie elsewhere, whose answers are waited for
MOST_THREADS = 16


def indexed(ranges: Ranges, entries: Sequence[Entry], field: str, kept: Path | None) -> Table:
    """The table of all shards as they are now.

    Args:
        ranges: Where they lie.
        entries: The shards, in their order.
        field: In which JSON has the label; empty for the usual ones.
        kept: The folder of the table, where none can be written beside the shards; None does without.

    Raises:
        DataError: As ``look`` raises it.
    """
    files = _files(ranges, field, kept)
    # one without a version may be another one of the same size, as all tars are multiples of 10,240 bytes
    now = {tuple(entry) for entry in entries if entry.version}
    loaded = [table for file in files if (table := Table.load(file, field)) is not None]
    # beside the shards there may be an old one, in a folder that cannot be written to
    known = max(loaded, key=lambda table: len(now.intersection(shard[:3] for shard in table.shards)), default=None)
    if (
        known is not None
        and [shard[:3] for shard in known.shards] == list(map(tuple, entries))
        and all(entry.version for entry in entries)
    ):
        return known
    tables = known.apart() if known is not None else {}
    still = {name: table for name, table in tables.items() if table.shards[0][:3] in now}
    missing = [entry for entry in entries if entry.path not in still]
    try:
        _look_at(missing, ranges, field, still)
    finally:
        if missing:
            # those of other patterns in the same folder stay known
            others = {} if os.path.isdir(ranges.root) else tables
            _keep(Table.together(list((others | still).values())), files, field)
    return Table.together([still[entry.path] for entry in entries])


def _look_at(missing: Sequence[Entry], ranges: Ranges, field: str, found: dict[str, Table]) -> None:
    threads = max(1, min(len(missing), cores() if ranges.folder() is not None else MOST_THREADS))
    bar = tqdm(total=len(missing), desc="looking through shards", unit=" shards", disable=None, leave=False)
    with bar, ThreadPoolExecutor(threads, thread_name_prefix="shards") as pool:
        for entry, table in zip(missing, pool.map(lambda entry: look(ranges, entry, field), missing), strict=True):
            found[entry.path] = table
            bar.update()


def _keep(table: Table, files: Sequence[Path], field: str) -> None:
    """Keep the table in the first place that takes it, or go on without: it only saves time."""
    for file in files:
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            table.save(file, field)
            return


def _files(ranges: Ranges, field: str, kept: Path | None) -> list[Path]:
    """Where the table may be, the best place first."""
    folder = ranges.folder()
    beside = [] if folder is None else [folder / (f"{STEM}-{_short(field)}.npz" if field else f"{STEM}.npz")]
    place = f"{os.path.abspath(folder) if folder is not None else ranges.root}\0{field}"
    return beside if kept is None else [*beside, kept / f"shards-{_short(place)}.npz"]


def _short(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:16]
