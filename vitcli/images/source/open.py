"""What a root on the command line is: a folder, an archive, shards, tables, or the address of one of these."""

from __future__ import annotations

import os
from pathlib import Path

from vitcli.images.source.archive import ARCHIVES, Tar, Zip
from vitcli.images.source.remote.options import REMOTE, Remote
from vitcli.images.source.shards.found import is_shards
from vitcli.images.source.shards.shards import Shards
from vitcli.images.source.source import Folder, Source
from vitcli.images.source.tables.found import holds_images, tables_of
from vitcli.images.source.walk import check_folder
from vitcli.names import extension, is_url
from vitcli.run import CACHE, RunOptions


def open_source(root: str, follow_links: bool = False, kept: Path | None = None, remote: Remote = REMOTE) -> Source:
    """Where the files of a root lie.

    Args:
        root: A folder, a zip, a tar, or shards: a folder of tars, or a pattern of them; tables with images in them; or
            the address of one of these.
        follow_links: Whether links in a folder are followed.
        kept: The folder for the index of shards that lie where none can be written, and for what is found out about
            tables; None: beside the runs.
        remote: How it is read if it is an address.

    Raises:
        DataError: It is none of these, or damaged.
    """
    if is_url(root):
        from vitcli.images.source.remote.open import open_remote

        return open_remote(root, remote, kept)
    if os.path.isfile(root) and extension(root) in ARCHIVES:
        return Zip(root) if extension(root) == ".zip" else Tar(root)
    if is_shards(root):
        return Shards(root, kept=kept)
    if holds_images(root):
        return tables_of(root, None, Path(RunOptions().dir, CACHE) if kept is None else kept)
    check_folder(root)
    return Folder(root, follow_links)
