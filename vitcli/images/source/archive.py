"""Archives: the files of a zip or a tar, read in place and never unpacked, with limits against hostile contents."""

from __future__ import annotations

import itertools
import lzma
import os
import stat
import tarfile
import threading
import zipfile
import zlib
from abc import abstractmethod
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np

from vitcli.errors import DataError
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.source.contents import Contents
from vitcli.images.source.entries import SPREAD, Entries, Entry
from vitcli.images.source.far import FarFile, read_member
from vitcli.images.source.inner import inner_path, too_large
from vitcli.images.source.members import files_of, folders_of
from vitcli.images.source.paths import Paths
from vitcli.images.source.ranges import Ranges
from vitcli.images.source.source import Source

ARCHIVES = (".zip", ".tar")
# photos hardly shrink in a zip
MOST_GROWTH = 100
GROWTH_FROM_BYTES = 2**20
# flag of a zip's member whose name is in UTF-8
UTF_8 = 0x800
# what zipfile and tarfile raise on a member that is damaged, encrypted, or compressed in an unknown way
DAMAGED = (
    *(OSError, EOFError, ValueError, RuntimeError, NotImplementedError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)


class Archive(Source):
    """Files in an archive, which is never unpacked: its names are only compared, and no file is written.

    Its list of names is read once; every process opens the archive for itself.

    Args:
        root: The archive.
        ranges: Where it lies if not on a disk: it is the only file there.

    Raises:
        DataError: It is damaged, or a name in it points outside.
    """

    def __init__(self, root: str, ranges: Ranges | None = None) -> None:
        super().__init__(root)
        self.far = None if ranges is None else FarFile(ranges)
        # of one that lies far: where the bytes of each member begin, and how many they are with what belongs to them
        self.spans: dict[str, tuple[int, int]] = {}
        self.members: dict[str, Entry] = {}
        # by what a subclass finds a member: its name or offset
        self.marks: dict[str, Any] = {}
        self.left_out: Counter[str] = Counter()
        self._opened: tuple[int, object] | None = None
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_opened": None, "_lock": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    def add(self, name: str, size: int, version: int, mark: Any) -> None:
        """Add a member; one that is too large for a picture is counted instead.

        Raises:
            DataError: The name points outside of the archive.
        """
        path = inner_path(self.root, name)
        if reason := too_large(size):
            self.left_out[reason] += 1
        else:
            self.members[path] = Entry(path, size, version)
            self.marks[path] = mark

    def folders(self, inside: str = "") -> list[str]:
        """Names of the visible folders directly in a folder, in natural order."""
        return folders_of(self.members, inside)

    def files(
        self, inside: str = "", extensions: Collection[str] | None = None, deep: bool = True
    ) -> tuple[Entries, Counter[str]]:
        """The members below a folder."""
        return files_of(self.members, inside, extensions, deep, self.left_out)

    def read(self, path: str) -> bytes:
        """The bytes of a member."""
        entry = self.members.get(path)
        if entry is None:
            raise UnreadableImage("no such file in the archive")
        try:
            return self._read(entry)
        except DAMAGED as error:
            raise UnreadableImage(f"damaged in the archive ({' '.join(str(error).split())[:80]})") from error

    def ahead(self, paths: Sequence[str]) -> None:
        """Members that will be read soon: those of an archive that lies far are fetched."""
        if self.far is not None:
            self.far.ahead([self.spans[path] for path in paths if path in self.spans])

    def file(self, path: str) -> str | None:
        """None: a member is no file of its own."""
        return None

    @abstractmethod
    def _read(self, entry: Entry) -> bytes: ...


@final
class Zip(Archive):
    """Files in a zip.

    Args:
        root: The zip.
        ranges: Where it lies if not on a disk.

    Raises:
        DataError: It is damaged or no zip, or a name in it points outside.
    """

    def __init__(self, root: str, ranges: Ranges | None = None) -> None:
        super().__init__(root, ranges)
        starts: dict[str, int] = {}
        try:
            with self._archive() as opened:
                for member in opened.infolist():
                    if member.is_dir():
                        continue
                    if stat.S_ISLNK(member.external_attr >> 16):
                        self.left_out["link"] += 1
                    elif member.flag_bits & 1:
                        self.left_out["encrypted"] += 1
                    elif member.file_size > max(GROWTH_FROM_BYTES, MOST_GROWTH * member.compress_size):
                        self.left_out[f"expands more than {MOST_GROWTH} times"] += 1
                    else:
                        self.add(_name(member), member.file_size, member.CRC, member.filename)
                        starts[member.filename] = member.header_offset
                ends = sorted({member.header_offset for member in opened.infolist()} | {opened.start_dir})
        except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError) as error:
            raise _damaged(root, error) from error
        if self.far is not None:
            # a member ends where the next one begins
            behind = dict(itertools.pairwise(ends))
            for path, name in self.marks.items():
                start = starts[name]
                self.spans[path] = start, behind[start] - start

    def _archive(self) -> zipfile.ZipFile:
        return zipfile.ZipFile(self.root if self.far is None else self.far.opened())

    def _read(self, entry: Entry) -> bytes:
        if self.far is not None:
            # with what stands before it; in one request, and outside of the zip's own lock
            start, size = self.spans[entry.path]
            return read_member(self.far.read(start, size), entry.size, entry.version)
        with self._lock:
            # a forked process must not share the position of the file handle with its parent
            if self._opened is None or self._opened[0] != os.getpid():
                self._opened = os.getpid(), self._archive()
            opened = self._opened[1]
        assert isinstance(opened, zipfile.ZipFile)
        return opened.read(self.marks[entry.path])


@final
class Tar(Archive):
    """Files in an uncompressed tar, as only there a file can be read without all those before it.

    Its headers lie between its files, so that all of it is gone through: of a tar in a store, once for each version.

    Args:
        root: The tar.
        ranges: Where it lies if not on a disk.
        kept: Folder for the table of contents of one that lies in a store; None does without.

    Raises:
        DataError: It is damaged or no tar, it is compressed, or a name in it points outside.
    """

    def __init__(self, root: str, ranges: Ranges | None = None, kept: Path | None = None) -> None:
        super().__init__(root, ranges)
        known = None if self.far is None or kept is None else Contents.kept(kept, self.far)
        if known is None:
            self._go_through()
            if self.far is not None and kept is not None:
                self._contents().keep(kept, self.far)
        else:
            columns = (known.sizes.tolist(), known.versions.tolist(), known.starts.tolist())
            for path, size, version, start in zip(known.paths, *columns, strict=True):
                self.add(path, size, version, start)
            self.left_out.update(known.left_out)
        if self.far is not None:
            self.spans = {path: (mark, self.members[path].size) for path, mark in self.marks.items()}

    def _go_through(self) -> None:
        try:
            # of the tar itself: many give all members the time 0
            own = os.stat(self.root).st_mtime_ns if self.far is None else self.far.version
            with tarfile.open(self.root, "r:", None if self.far is None else self.far.opened()) as opened:
                for member in opened:
                    if member.isreg():
                        version = (int(member.mtime) * SPREAD + own) % 2**63
                        self.add(member.name, member.size, version, member.offset_data)
                    elif not member.isdir():
                        self.left_out["link" if member.islnk() or member.issym() else "not a regular file"] += 1
        except tarfile.ReadError as error:
            raise _damaged(self.root, error, "; a compressed tar has to be unpacked, or packed as a zip") from error
        except (tarfile.TarError, EOFError, OSError) as error:
            raise _damaged(self.root, error) from error

    def _contents(self) -> Contents:
        entries = self.members.values()
        columns = ([entry.size for entry in entries], [entry.version for entry in entries], list(self.marks.values()))
        sizes, versions, starts = (np.array(column, dtype=np.int64) for column in columns)
        return Contents(Paths.of(list(self.members)), sizes, versions, starts, self.left_out)

    def _read(self, entry: Entry) -> bytes:
        if self.far is not None:
            return self.far.read(*self.spans[entry.path])
        with self._lock:
            if self._opened is None or self._opened[0] != os.getpid():
                self._opened = os.getpid(), os.open(self.root, os.O_RDONLY)
            descriptor = self._opened[1]
        assert isinstance(descriptor, int)
        content = os.pread(descriptor, entry.size, self.marks[entry.path])
        if len(content) < entry.size:
            raise EOFError("the archive ends before the file does")
        return content


def _name(member: zipfile.ZipInfo) -> str:
    """A member's name: in UTF-8 also where its flag for that is missing, as of Info-ZIP's zip on Linux.

    zipfile takes such names for code page 437, which is what the format says; text in it is hardly ever valid UTF-8.
    """
    if member.flag_bits & UTF_8 or member.filename.isascii():
        return member.filename
    try:
        return member.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return member.filename


def _damaged(root: str, error: BaseException, more: str = "") -> DataError:
    reason = " ".join(str(error).split())[:100] or type(error).__name__
    return DataError(f"data.root {root}: is damaged or no archive ({reason}); download it again{more}")
