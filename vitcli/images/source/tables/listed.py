"""Which files of a root are tables: Parquet files, and the Arrow files of a dataset that ``datasets`` has saved."""

from __future__ import annotations

import contextlib
import posixpath
import re

from vitcli.errors import DataError, StoreError
from vitcli.images.source.entries import Entry
from vitcli.images.source.ranges import FileRanges, Ranges
from vitcli.images.source.remote.options import REMOTE, Remote
from vitcli.images.source.tables.table import ENDINGS
from vitcli.machine.bounded_json import from_json
from vitcli.names import extension, is_url, natural_order

# a dataset on the hub in its main revision, and the revision in which the hub keeps it as Parquet
HUB = re.compile(r"(hf://datasets/[^/@]+/[^/@]+)(/.*)?")
CONVERTED = "@refs/convert/parquet"
# a saved dataset says in it which files are its rows; others beside them are caches
STATE = "state.json"
# and in it, that rows are in another order than in the files, as old versions have written it
INDICES = ("_indices_data_files", "_indices_files")


def find_tables(ranges: Ranges) -> list[Entry]:
    """The tables of a root, in natural order.

    Args:
        ranges: Its files.

    Raises:
        DataError: A saved dataset is of an old version.
    """
    found = ranges.names()
    tables = {entry.path: entry for entry in found if extension(entry.path) in ENDINGS}
    for entry in found:
        folder, name = posixpath.split(entry.path)
        if name == STATE:
            rows = _rows_of(ranges, entry)
            beside = [path for path in tables if posixpath.dirname(path) == folder and extension(path) == ".arrow"]
            for path in beside:
                if rows and posixpath.basename(path) not in rows:
                    del tables[path]
    return sorted(tables.values(), key=lambda entry: natural_order(entry.path))


def _rows_of(ranges: Ranges, entry: Entry) -> set[str]:
    try:
        state = from_json(ranges.read(entry.path, 0, entry.size))
        indices = any(state.get(key) for key in INDICES)
        rows = {str(file["filename"]) for file in state["_data_files"]}
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError):
        # another program's, which says nothing of tables
        return set()
    if indices:
        raise DataError(
            f"data.root {ranges.where(entry.path)}: an old version of datasets saved it with its rows in another "
            "order; save it again with a new one (flatten_indices)"
        )
    return rows


def open_tables(root: str, follow_links: bool = False, remote: Remote = REMOTE) -> tuple[Ranges, list[Entry]]:
    """The files of a root, and its tables in natural order.

    A dataset on the hub that is not Parquet is read from the Parquet that the hub makes of each.

    Args:
        root: A table, a folder, a pattern, or the address of one of these, such as ``hf://datasets/OWNER/NAME``.
        follow_links: Whether links in a folder are followed.
        remote: How it is read if it is an address.

    Raises:
        DataError: It does not exist, or holds no tables.
    """
    ranges = _open(root, follow_links, remote)
    tables = find_tables(ranges)
    if not tables and (dataset := HUB.fullmatch(root)):
        ranges = _open(f"{dataset[1]}{CONVERTED}{dataset[2] or ''}", follow_links, remote)
        with contextlib.suppress(StoreError):
            tables = find_tables(ranges)
    if not tables:
        raise DataError(
            f"data.root {root}: no table in it (.parquet, or .arrow as datasets saves it); folders, zips and tars of "
            "images are read by FolderData, tables of paths by ManifestData"
        )
    return ranges, tables


def _open(root: str, follow_links: bool, remote: Remote) -> Ranges:
    if not is_url(root):
        return FileRanges(root, follow_links)
    from vitcli.images.source.remote.ranges import RemoteRanges

    return RemoteRanges(root, remote, alone=extension(root) in ENDINGS and not set(root) & set("*?[{"))
