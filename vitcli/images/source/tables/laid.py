"""Images that lie compressed in a table, laid out once in vitcli's cache as an uncompressed Arrow file."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from tqdm import tqdm

from vitcli.errors import ConfigError, DataError
from vitcli.images.source.entries import Entry
from vitcli.images.source.ranges import FileRanges
from vitcli.images.source.tables.columns import Images
from vitcli.images.source.tables.places import Places, in_arrow, in_parquet
from vitcli.images.source.tables.table import Table
from vitcli.machine.atomic import replacing
from vitcli.names import printable

# another one where the files below are written otherwise
LAYOUT = 1
# what is left free on the disk
RESERVE_BYTES = 2**28
# photos hardly shrink in any format: what grows more is no set of photos
MOST_GROWTH, GROWTH_FROM_BYTES = 100, 2**24


def places_of(table: Table, images: Images, kept: Path) -> tuple[Places, str]:
    """Where the images of a table lie, and what the user should know of how that was found.

    Args:
        table: The table.
        images: Its column of images.
        kept: Folder for what is found out, and for images that are laid out.

    Raises:
        DataError: The table is damaged.
        ConfigError: Too little room to lay out its images.
    """
    if table.is_arrow and table.is_local and (places := in_arrow(table, images)) is not None:
        return places, ""
    known = _file(table, images, kept, ".npz")
    # without a version it may be another file of the same size
    is_same = table.entry.version != 0
    if is_same and (places := _load(known, table.name)) is not None:
        return places, ""
    laid = _file(table, images, kept, ".arrow")
    if not is_same or not laid.is_file():
        if not table.is_arrow and (places := in_parquet(table, images)) is not None:
            if is_same:
                _save(known, places)
            return places, ""
        _lay(table, images, laid)
        told = f"images of {printable(table.where)} are compressed: laid out once in {laid} ({_mb(laid)})"
    else:
        told = ""
    status = laid.stat()
    entry = Entry(os.path.abspath(laid), status.st_size, status.st_mtime_ns)
    places = in_arrow(Table(FileRanges(str(laid.parent)), entry), Images(images.column))
    assert places is not None
    return places, told


def _lay(table: Table, images: Images, file: Path) -> None:
    import pyarrow
    from pyarrow import ipc

    file.parent.mkdir(parents=True, exist_ok=True)
    _sweep(file)
    needed = _bytes(table, images)
    free = shutil.disk_usage(file.parent).free - RESERVE_BYTES
    if needed > free:
        raise ConfigError(
            f"data.cache_dir {file.parent}: the images of {table.where} are compressed, and to lay them out once takes "
            f"{needed / 1e9:.1f} GB of {max(0, free) / 1e9:.1f} GB that are free; name a larger disk"
        )
    schema = pyarrow.schema([(images.column, pyarrow.large_binary())])
    with (
        replacing(file) as part,
        pyarrow.OSFile(str(part), "wb") as sink,
        ipc.new_stream(sink, schema) as writer,
    ):
        for array in _bounded(table, images):
            writer.write_batch(pyarrow.record_batch([array.cast(pyarrow.large_binary())], schema=schema))


def _bounded(table: Table, images: Images) -> Iterator[Any]:
    most = GROWTH_FROM_BYTES + MOST_GROWTH * table.entry.size
    total = 0
    bar = tqdm(desc=f"laying out {printable(table.name)}", unit="B", unit_scale=True, disable=None, leave=False)
    with bar:
        for array in table.column(images.column, images.child):
            total += array.nbytes
            if total > most:
                raise DataError(
                    f"data.root {table.where}: expands more than {MOST_GROWTH} times; download it again, from its "
                    "source"
                )
            bar.update(array.nbytes)
            yield array


def _bytes(table: Table, images: Images) -> int:
    """How much the images take when they are laid out, as far as the file says."""
    if table.metadata is None:
        return table.entry.size
    total = 0
    for group in range(table.metadata.num_row_groups):
        row_group = table.metadata.row_group(group)
        total += sum(
            chunk.total_uncompressed_size
            for chunk in map(row_group.column, range(row_group.num_columns))
            if chunk.path_in_schema.partition(".")[0] == images.column
        )
    return total


def _file(table: Table, images: Images, kept: Path, ending: str) -> Path:
    """Where something of a table is kept: one name for all its versions, and behind it the version."""
    whose = hashlib.sha256(os.fsencode(f"{os.path.abspath(table.where)}\0{images.column}")).hexdigest()[:16]
    version = hashlib.sha256(f"{LAYOUT}\0{table.entry.size}\0{table.entry.version}".encode()).hexdigest()[:16]
    return kept / f"rows-{whose}-{version}{ending}"


def _sweep(file: Path) -> None:
    """Remove what is kept of another version of the same table."""
    whose = file.name.rpartition("-")[0]
    for old in file.parent.glob(f"{whose}-*"):
        # that of this version may just have been finished by another process, which reads it
        if old == file:
            continue
        with contextlib.suppress(OSError):
            old.unlink()


def _load(file: Path, name: str) -> Places | None:
    try:
        with np.load(file, allow_pickle=False) as held:
            return Places(name, held["starts"], held["sizes"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def _save(file: Path, places: Places) -> None:
    """Keep where images lie, or go on without: it only saves time."""
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        _sweep(file)
        with replacing(file) as part, part.open("wb") as stream:
            np.savez(stream, starts=places.starts, sizes=places.sizes)


def _mb(file: Path) -> str:
    return f"{file.stat().st_size / 1e6:,.1f} MB"
