"""What an address stands for: a folder, an archive, shards, or one object such as a table."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from vitcli.errors import DataError
from vitcli.images.source.archive import ARCHIVES, Tar, Zip
from vitcli.images.source.remote.address import Address
from vitcli.images.source.remote.folder import RemoteFolder
from vitcli.images.source.remote.options import REMOTE, Remote
from vitcli.images.source.remote.ranges import RemoteRanges, is_remote_pattern
from vitcli.images.source.shards.shards import Shards
from vitcli.images.source.source import Source
from vitcli.images.source.walk import IMAGE_EXTENSIONS
from vitcli.names import extension
from vitcli.table.read import TABLES

TAR = ".tar"


def open_remote(root: str, remote: Remote = REMOTE, kept: Path | None = None) -> Source:
    """Where the files of an address lie.

    Args:
        root: A folder, a zip, a tar, or shards: a folder of tars, or a pattern of them.
        remote: Cache, requests at once, retries and time-outs.
        kept: The folder for the index of shards, and for the contents of a tar.

    Raises:
        DataError: It is no address of a store that is known, it is none of these, or the store refuses.
    """
    if is_remote_pattern(root):
        if not root.endswith(TAR):
            raise DataError(
                f"data.root {root}: in a store, a pattern names shards (.tar); name the folder of the images"
            )
        return Shards(root, kept=kept, ranges=RemoteRanges(root, remote))
    ending = Address.of(root).ending
    if ending in ARCHIVES:
        one = RemoteRanges(root, remote, alone=True)
        return Zip(root, one) if ending == ".zip" else Tar(root, one, kept)
    if ending in TABLES:
        raise DataError(f"data.root {root}: is a table, not a folder; say --data ManifestData, which reads it")
    if ending in IMAGE_EXTENSIONS and not root.endswith("/"):
        one = RemoteRanges(root, remote, alone=True)
        return RemoteFolder(one.where(), one, one.names())
    ranges = RemoteRanges(root, remote)
    entries = ranges.names()
    endings = {extension(entry.path) for entry in entries}
    if TAR in endings and not endings & IMAGE_EXTENSIONS:
        return Shards(root, kept=kept, ranges=ranges)
    return RemoteFolder(root, ranges, entries)


def read_object(root: str, remote: Remote = REMOTE) -> bytes:
    """All of an object, such as a table.

    Raises:
        DataError: There is none, or the store refuses.
    """
    one = RemoteRanges(root, remote, alone=True)
    [(name, size, _)] = one.names()
    with suppress(OSError, EOFError):
        return one.read(name, 0, size)
    raise DataError(f"data.root {root}: is gone since it was listed; check the address")


def folder_above(root: str, remote: Remote = REMOTE) -> RemoteFolder:
    """The files in the folder of an object, and below it.

    Raises:
        DataError: It is no address of a store that is known, or the store refuses.
    """
    above = Address.of(root).above.root
    ranges = RemoteRanges(above, remote)
    return RemoteFolder(above, ranges, ranges.names())
