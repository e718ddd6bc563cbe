"""Several: folders, archives and single files together, each file under the path by which it was named."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import final

from vitcli.images.decode.encoded import read_file
from vitcli.images.source.archive import ARCHIVES
from vitcli.images.source.entries import Entries, Entry
from vitcli.images.source.open import open_source
from vitcli.images.source.shards.found import is_shards
from vitcli.images.source.source import Source
from vitcli.images.source.tables.found import holds_images
from vitcli.images.source.walk import unwanted
from vitcli.names import extension

# why a file that two of the paths lead to is listed once
NAMED_AGAIN = "named already"


@final
class Several(Source):
    """Files of several folders and archives, and single files; one to which two of the paths lead is listed once.

    The path of a file is the path that was named, and behind it the place in that folder or archive. Relative ones
    begin in the working directory.

    Args:
        named: Folders, archives and files.
        follow_links: Whether links in a folder are followed; one that is named is.

    Raises:
        DataError: An archive is damaged.
    """

    def __init__(self, named: Sequence[str], follow_links: bool = False) -> None:
        super().__init__(os.getcwd(), named)
        self.follow_links = follow_links
        self.archives: dict[str, Source] = {}
        for path in named:
            if (os.path.isfile(path) and extension(path) in ARCHIVES) or is_shards(path) or holds_images(path):
                self.archives[_plain(path)] = open_source(path)

    def folders(self, inside: str = "") -> list[str]:
        """None: what was named lies together in no folder."""
        return []

    def files(
        self, inside: str = "", extensions: Collection[str] | None = None, deep: bool = True
    ) -> tuple[Entries, Counter[str]]:
        """All files; of those to which two of the paths lead, the path that was named first."""
        found = Entries()
        left_out: Counter[str] = Counter()
        # an archive is read, so it is no file of the folder that it lies in
        opened = set(map(os.path.realpath, self.archives))
        seen: set[str] = set()
        for path in self.named:
            entries, more = self._of(path, extensions, deep)
            left_out += more
            for entry, real in self._real(path, entries):
                if real in seen:
                    left_out[NAMED_AGAIN] += 1
                elif real not in opened:
                    seen.add(real)
                    found.add(*entry)
        return found, left_out

    def read(self, path: str) -> bytes:
        """The bytes of a file."""
        archive, inner = self._archive(path)
        return read_file(path) if archive is None else archive.read(inner)

    def ahead(self, paths: Sequence[str]) -> None:
        """Nothing: they lie on disks."""

    def file(self, path: str) -> str | None:
        """The file on the disk; None for one inside of an archive."""
        return path if self._archive(path)[0] is None else None

    def _archive(self, path: str) -> tuple[Source | None, str]:
        """The archive, or the folder of shards, in which a file lies, and its place there."""
        place = path.find("/") if self.archives else -1
        while place >= 0:
            if archive := self.archives.get(path[:place]):
                return archive, path[place + 1 :]
            place = path.find("/", place + 1)
        return None, path

    def _of(self, path: str, extensions: Collection[str] | None, deep: bool) -> tuple[Entries, Counter[str]]:
        """The files of a path that was named, by their places in it, and what was left out of them."""
        if _plain(path) in self.archives:
            return self.archives[_plain(path)].files("", extensions, deep)
        if os.path.isdir(path):
            return open_source(path, self.follow_links).files("", extensions, deep)
        if reason := unwanted(os.path.basename(path), extensions):
            return Entries(), Counter({reason: 1})
        try:
            status = os.stat(path)
        except OSError:
            return Entries([Entry("", 0, 0)]), Counter()
        return Entries([Entry("", status.st_size, status.st_mtime_ns)]), Counter()

    def _real(self, path: str, entries: Entries) -> Iterator[tuple[Entry, str]]:
        """Each entry under the path that was named, and where it lies in truth."""
        real = os.path.realpath(path)
        start = path if path.endswith("/") else f"{path}/"
        for inner, size, version in entries:
            if not inner:
                yield Entry(path, size, version), real
            elif self.follow_links and _plain(path) not in self.archives:
                yield Entry(start + inner, size, version), os.path.realpath(start + inner)
            else:
                yield Entry(start + inner, size, version), f"{real}/{inner}"


def _plain(path: str) -> str:
    """A path as those of the files in it begin."""
    return path.rstrip("/") or path
