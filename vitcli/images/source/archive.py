"""Archives: the files of a zip or a tar, read in place and never unpacked, with limits against hostile contents."""

from __future__ import annotations

import lzma
import os
import stat
import tarfile
import threading
import zipfile
import zlib
from abc import abstractmethod
from collections import Counter
from collections.abc import Collection
from pathlib import PurePosixPath
from typing import Any, final

from vitcli.errors import DataError
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.source.entries import Entries, Entry
from vitcli.images.source.source import Folder, Source
from vitcli.images.source.walk import check_folder, unwanted
from vitcli.names import extension, is_hidden, natural_order

ARCHIVES = (".zip", ".tar")
# A picture of 100 million pixels takes less even uncompressed; and photos hardly shrink in a zip.
MOST_BYTES = 2**29
MOST_GROWTH = 100
GROWTH_FROM_BYTES = 2**20
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

    Raises:
        DataError: It is damaged, or a name in it points outside.
    """

    def __init__(self, root: str) -> None:
        super().__init__(root)
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
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or (path.parts and ":" in path.parts[0]):
            raise DataError(
                f"data.root {self.root}: {name!r} points outside of the archive; download it again, from its source"
            )
        if size > MOST_BYTES:
            self.left_out[f"larger than {MOST_BYTES >> 20} MB"] += 1
        else:
            self.members[str(path)] = Entry(str(path), size, version)
            self.marks[str(path)] = mark

    def folders(self, inside: str = "") -> list[str]:
        """Names of the visible folders directly in a folder, in natural order."""
        prefix = f"{inside}/" if inside else ""
        names = {
            rest.partition("/")[0]
            for path in self.members
            if path.startswith(prefix) and "/" in (rest := path[len(prefix) :])
        }
        return sorted((name for name in names if not is_hidden(name)), key=natural_order)

    def files(
        self, inside: str = "", extensions: Collection[str] | None = None, deep: bool = True
    ) -> tuple[Entries, Counter[str]]:
        """The members below a folder."""
        prefix = f"{inside}/" if inside else ""
        found = Entries()
        left_out = Counter(self.left_out)
        for path, entry in self.members.items():
            if not path.startswith(prefix):
                continue
            *above, name = path[len(prefix) :].split("/")
            if above and not deep:
                continue
            if any(map(is_hidden, above)):
                left_out["hidden or system folder"] += 1
            elif reason := unwanted(name, extensions):
                left_out[reason] += 1
            else:
                found.add(path, entry.size, entry.version)
        return found, left_out

    def read(self, path: str) -> bytes:
        """The bytes of a member."""
        entry = self.members.get(path)
        if entry is None:
            raise UnreadableImage("no such file in the archive")
        try:
            return self._read(entry)
        except DAMAGED as error:
            raise UnreadableImage(f"damaged in the archive ({' '.join(str(error).split())[:80]})") from error

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

    Raises:
        DataError: It is damaged or no zip, or a name in it points outside.
    """

    def __init__(self, root: str) -> None:
        super().__init__(root)
        try:
            with zipfile.ZipFile(root) as opened:
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
                        self.add(member.filename, member.file_size, member.CRC, member.filename)
        except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError) as error:
            raise _damaged(root, error) from error

    def _read(self, entry: Entry) -> bytes:
        with self._lock:
            # a forked process must not share the position of the file handle with its parent
            if self._opened is None or self._opened[0] != os.getpid():
                self._opened = os.getpid(), zipfile.ZipFile(self.root)
            opened = self._opened[1]
        assert isinstance(opened, zipfile.ZipFile)
        return opened.read(self.marks[entry.path])


@final
class Tar(Archive):
    """Files in an uncompressed tar, as only there a file can be read without all those before it.

    Args:
        root: The tar.

    Raises:
        DataError: It is damaged or no tar, it is compressed, or a name in it points outside.
    """

    def __init__(self, root: str) -> None:
        super().__init__(root)
        try:
            with tarfile.open(root, "r:") as opened:
                for member in opened:
                    if member.isreg():
                        self.add(member.name, member.size, int(member.mtime), member.offset_data)
                    elif not member.isdir():
                        self.left_out["link" if member.islnk() or member.issym() else "not a regular file"] += 1
        except tarfile.ReadError as error:
            raise _damaged(root, error, "; a compressed tar has to be unpacked, or packed as a zip") from error
        except (tarfile.TarError, EOFError, OSError) as error:
            raise _damaged(root, error) from error

    def _read(self, entry: Entry) -> bytes:
        with self._lock:
            if self._opened is None or self._opened[0] != os.getpid():
                self._opened = os.getpid(), os.open(self.root, os.O_RDONLY)
            descriptor = self._opened[1]
        assert isinstance(descriptor, int)
        content = os.pread(descriptor, entry.size, self.marks[entry.path])
        if len(content) < entry.size:
            raise EOFError("the archive ends before the file does")
        return content


def open_source(root: str, follow_links: bool = False) -> Source:
    """Where the files of a root lie.

    Args:
        root: A folder, a zip, or a tar.
        follow_links: Whether links in a folder are followed.

    Raises:
        DataError: It is none of these, or damaged.
    """
    if os.path.isfile(root) and extension(root) in ARCHIVES:
        return Zip(root) if extension(root) == ".zip" else Tar(root)
    check_folder(root)
    return Folder(root, follow_links)


def _damaged(root: str, error: BaseException, more: str = "") -> DataError:
    reason = " ".join(str(error).split())[:100] or type(error).__name__
    return DataError(f"data.root {root}: is damaged or no archive ({reason}); download it again{more}")
