"""Whether a root is tables with images in them: a Parquet file, a folder of them, or a dataset that was saved."""

from __future__ import annotations

import os
from pathlib import Path

from vitcli.errors import DataError
from vitcli.images.source.ranges import is_ranges_pattern
from vitcli.images.source.tables.columns import find_images
from vitcli.images.source.tables.listed import HUB, open_tables
from vitcli.images.source.tables.table import ENDINGS, Table
from vitcli.images.source.tables.tables import Tables
from vitcli.images.source.walk import IMAGE_EXTENSIONS, list_folder
from vitcli.names import extension, is_hidden, is_url

# so many folders are looked into, to such a depth: data/, or default/train/
MOST_FOLDERS, DEEPEST = 16, 2


def holds_images(root: str) -> bool:
    """Whether a root is tables with a column of images; of a folder, no more than its first picture is looked for.

    Args:
        root: A table, a folder, a pattern, or an address: of these, a dataset on the hub is taken for one.

    Raises:
        DataError: A folder cannot be listed, or the tables are damaged.
    """
    if is_url(root):
        return HUB.fullmatch(root) is not None or extension(root) in ENDINGS
    if os.path.isdir(root):
        if not _has_tables(root, DEEPEST):
            return False
    elif extension(root) not in ENDINGS or not (os.path.isfile(root) or is_ranges_pattern(root)):
        return False
    ranges, tables = open_tables(root)
    first = Table(ranges, tables[0])
    try:
        find_images(first, None)
    except DataError:
        # paths, or several columns of which one has to be named
        return False
    return True


def tables_of(root: str, image_column: str | None, kept: Path) -> Tables:
    """The images in the rows of a root.

    Args:
        root: A table, a folder, a pattern, or an address.
        image_column: The column of images; None: the only one, or the one that is called so.
        kept: Folder for what is found out about them.

    Raises:
        DataError: There are no tables, they are damaged, or have no images.
        ConfigError: Too little room to lay out compressed images.
    """
    ranges, entries = open_tables(root)
    tables = [Table(ranges, entry) for entry in entries]
    return Tables(root, ranges, tables, find_images(tables[0], image_column), kept)


def _has_tables(folder: str, deeper: int) -> bool:
    """Whether tables lie in a folder, and no pictures beside them."""
    folders, has_table = [], False
    for entry in list_folder(folder):
        ending = extension(entry.name)
        if is_hidden(entry.name):
            continue
        if ending in IMAGE_EXTENSIONS:
            return False
        if ending in ENDINGS:
            has_table = True
        elif deeper and not ending and entry.is_dir():
            folders.append(os.path.join(folder, entry.name))
    return has_table or any(_has_tables(inner, deeper - 1) for inner in sorted(folders)[:MOST_FOLDERS])
