"""RemoteFolder: the files below an address in a store, listed once, each read in one request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import final

from vitcli.errors import DataError
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.source.entries import Entries, Entry
from vitcli.images.source.inner import too_large
from vitcli.images.source.members import files_of, folders_of
from vitcli.images.source.remote.ranges import RemoteRanges
from vitcli.images.source.source import Source


@final
class RemoteFolder(Source):
    """Files in an object store, or on a web server that lists its folders.

    The store is asked for the names once. Paths, their order and their classes are as in a folder on the disk, so that
    the batches of a training are; what a file's version is, its checksum or ETag tells.

    Args:
        root: The address.
        ranges: Of what lies below it.
        entries: What was listed there.

    Raises:
        DataError: A name points outside.
    """

    def __init__(self, root: str, ranges: RemoteRanges, entries: Iterable[Entry]) -> None:
        super().__init__(root)
        self.ranges = ranges
        self.members: dict[str, Entry] = {}
        self.left_out: Counter[str] = Counter()
        for entry in entries:
            if ".." in entry.path.split("/"):
                raise DataError(f"data.root {root}: {entry.path!r} points outside of the folder; remove it")
            if reason := too_large(entry.size):
                self.left_out[reason] += 1
            else:
                self.members[entry.path] = entry

    def folders(self, inside: str = "") -> list[str]:
        """Names of the visible folders directly in a folder, in natural order."""
        return folders_of(self.members, inside)

    def files(
        self, inside: str = "", extensions: Collection[str] | None = None, deep: bool = True
    ) -> tuple[Entries, Counter[str]]:
        """The files below a folder."""
        return files_of(self.members, inside, extensions, deep, self.left_out)

    def read(self, path: str) -> bytes:
        """The bytes of a file.

        Raises:
            UnreadableImage: It is missing.
            StoreError: The store refuses, or has failed after all retries.
        """
        entry = self.members.get(path)
        if entry is None:
            raise UnreadableImage("no such object in the store")
        try:
            return self.ranges.read(path, 0, entry.size)
        except (OSError, EOFError) as error:
            raise UnreadableImage(str(error)) from error

    def ahead(self, paths: Sequence[str]) -> None:
        """Fetch files that will be read soon."""
        self.ranges.ahead([(path, 0, self.members[path].size) for path in paths if path in self.members])

    def file(self, path: str) -> str | None:
        """None: it is on no disk."""
        return None
