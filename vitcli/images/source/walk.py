"""Walk of a folder tree: which files are images, and how many entries are left out, by reason."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from tqdm import tqdm

from vitcli.errors import DataError
from vitcli.images.decode import heif
from vitcli.images.source.entries import Entries
from vitcli.names import extension, is_hidden, natural_order, printable
from vitcli.table.read import TABLES

IMAGE_EXTENSIONS = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".jp2", ".j2k", ".png", ".webp", ".avif", ".gif", ".bmp", ".ico"),
        *(".tif", ".tiff", ".psd", ".pbm", ".pgm", ".ppm", ".pnm"),
        # without pillow-heif too, so that none is passed over in silence
        *heif.ENDINGS,
    }
)
COMPRESSED_TARS = (".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


def unwanted(name: str, extensions: Collection[str] | None) -> str:
    """Why a file of this name is left out; empty if it is not.

    Args:
        name: Without its folders.
        extensions: Lower-case endings to look for; None takes every file.
    """
    if extensions is None:
        return ""
    if is_hidden(name):
        return "hidden file"
    ending = extension(name)
    return "" if ending in extensions else f"no image by its extension {ending!r}"


def find_folders(root: str, follow_links: bool = False) -> list[str]:
    """Names of the visible folders directly in ``root``, in natural order.

    Raises:
        DataError: The folder cannot be listed.
    """
    names = [
        entry.name
        for entry in list_folder(root)
        if entry.is_dir(follow_symlinks=follow_links) and not is_hidden(entry.name)
    ]
    return sorted(names, key=natural_order)


def find_files(
    root: str | os.PathLike[str],
    *,
    inside: str = "",
    extensions: Collection[str] | None = None,
    deep: bool = True,
    follow_links: bool = False,
) -> tuple[Entries, Counter[str]]:
    """The regular files below a folder, in the order in which they are found, and what was left out: how often and why.

    A bar on stderr shows the progress where stderr is a terminal.

    Args:
        root: The folder; paths are relative to it.
        inside: A folder below the root, separated by ``/``, to begin in.
        extensions: Lower-case endings to look for; hidden files are then left out. None takes every regular file,
            hidden ones too.
        deep: Whether folders in the folder are entered; hidden and system folders never are.
        follow_links: Whether links are followed, each file and folder that they lead to once.

    Raises:
        DataError: A folder cannot be listed.
    """
    top = os.fspath(root)
    found = Entries()
    left_out: Counter[str] = Counter()
    waiting = [inside]
    # a link back to the root would list every file twice
    seen = {_identity(folder) for folder in (top, os.path.join(top, inside))} if follow_links else set()
    with tqdm(desc=f"files in {printable(os.path.join(top, inside))}", unit=" files", disable=None, leave=False) as bar:
        while waiting:
            folder = waiting.pop()
            prefix = f"{folder}/" if folder else ""
            before = len(found)
            entries = list_folder(os.path.join(top, folder))
            for entry in _followed(entries, seen, left_out) if follow_links else entries:
                name = entry.name
                # most entries are files, so that is asked first
                if entry.is_file(follow_symlinks=follow_links):
                    if reason := unwanted(name, extensions):
                        left_out[reason] += 1
                    elif (status := _status(entry)) is None:
                        left_out["not accessible"] += 1
                    else:
                        found.add(prefix + name, status.st_size, status.st_mtime_ns)
                elif not follow_links and entry.is_symlink():
                    left_out["link"] += 1
                elif not entry.is_dir():
                    left_out["not a regular file"] += 1
                elif deep and is_hidden(name):
                    left_out["hidden or system folder"] += 1
                elif deep:
                    waiting.append(prefix + name)
            bar.update(len(found) - before)
    return found, left_out


def _followed(
    entries: Iterable[os.DirEntry[str]], seen: set[tuple[int, int]], left_out: Counter[str]
) -> Iterator[os.DirEntry[str]]:
    """Entries, links among them, that lead to what was not found before."""
    for entry in entries:
        try:
            status = entry.stat()
        except OSError:
            left_out["broken link"] += 1
            continue
        if (identity := (status.st_dev, status.st_ino)) in seen:
            left_out["link to a file or folder listed already"] += 1
        else:
            seen.add(identity)
            yield entry


def _identity(folder: str) -> tuple[int, int]:
    try:
        status = os.stat(folder)
    except OSError:
        return 0, 0
    return status.st_dev, status.st_ino


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    """What the system knows of a file; None if it may not be asked, or if the file was removed since it was found."""
    try:
        return entry.stat()
    except OSError:
        return None


def check_folder(root: str) -> None:
    """Check that ``root`` is a folder.

    Raises:
        DataError: It does not exist, or is a file.
    """
    if not os.path.exists(root):
        remedy = "only UnlabelledData takes patterns" if any(char in root for char in "*?[") else "check the path"
        raise DataError(f"data.root {root}: no such folder; {remedy} (now in {os.getcwd()})")
    if not os.path.isdir(root):
        if extension(root) in TABLES:
            more = ", or ParquetData if the images are in it" if extension(root) == ".parquet" else ""
            raise DataError(
                f"data.root {root}: is a table, not a folder; say --data ManifestData, which reads it{more}"
            )
        remedy = "name the folder that holds the images, or a zip or tar of it"
        if is_compressed(root):
            remedy = "a compressed tar has to be unpacked, or packed as a zip"
        raise DataError(f"data.root {root}: is a file, not a folder; {remedy}")


def is_compressed(name: str) -> bool:
    """Whether a file is a compressed tar by its name."""
    return name.lower().endswith(COMPRESSED_TARS)


def list_folder(folder: str) -> Iterator[os.DirEntry[str]]:
    """The entries of a folder; the status of each must be asked for before the next one is taken.

    Raises:
        DataError: The folder cannot be listed.
    """
    try:
        with _opened(folder) as opened, os.scandir(opened) as entries:
            yield from entries
    except OSError as error:
        raise DataError(f"data.root {folder}: cannot be listed ({error.strerror}); check its permissions") from error


@contextlib.contextmanager
def _opened(folder: str) -> Iterator[str | int]:
    """A folder to be listed, where possible as a file descriptor: its path is then not resolved again for each file."""
    if os.scandir not in os.supports_fd:
        yield folder
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
