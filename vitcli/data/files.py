"""Which files lie below a folder, in an order that is the same on every machine?"""

from __future__ import annotations

import os
import re
from collections.abc import Collection

from tqdm import tqdm

from vitcli.errors import DataError

IMAGE_EXTENSIONS = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".jp2", ".j2k", ".png", ".webp", ".avif", ".gif", ".bmp", ".ico"),
        *(".tif", ".tiff", ".psd", ".pbm", ".pgm", ".ppm", ".pnm"),
    }
)
# Written by macOS archives and Synology; folders with a leading dot are left out as well.
SYSTEM_FOLDERS = frozenset(("__MACOSX", "@eaDir"))
DIGITS = re.compile("([0-9]+)")

OrderKey = tuple[tuple[tuple[str | int, ...], ...], str]


def natural_order(path: str) -> OrderKey:
    """A sort key by which ``cat.2.jpg`` comes before ``cat.10.jpg``.

    Folder by folder, runs of the digits 0-9 compare as numbers and the text between them by code points, without
    regard to case; names that differ in nothing else (``A1``, ``a01``) are put in the order of their code points.
    No locale takes part.

    Args:
        path: A path whose folders are separated by ``/``.
    """
    return tuple(_name_key(name) for name in path.split("/")), path


def _name_key(name: str) -> tuple[str | int, ...]:
    # The pattern is a group, so text and numbers alternate and only like is compared with like.
    return tuple(int(part) if i % 2 else part for i, part in enumerate(DIGITS.split(name.casefold())))


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is there for a program and not for people."""
    return name.startswith(".") or name in SYSTEM_FOLDERS


def find_folders(root: str) -> list[str]:
    """Names of the visible folders directly in ``root``, in natural order; links to folders are left out.

    Raises:
        DataError: The folder cannot be listed.
    """
    names = [
        entry.name for entry in _entries(root) if entry.is_dir(follow_symlinks=False) and not is_hidden(entry.name)
    ]
    return sorted(names, key=natural_order)


def find_files(
    root: str | os.PathLike[str], *, extensions: Collection[str] | None = None, deep: bool = True
) -> tuple[list[str], int]:
    """Paths of the regular files below ``root``, relative and separated by ``/``, and how many were left out.

    Links to files are followed, links to folders are not: a folder may hold itself. A bar on stderr shows the
    progress where stderr is a terminal.

    Args:
        root: The folder.
        extensions: Lower-case endings to look for; then hidden files are passed over, and files with other
            endings are counted as left out. None takes every regular file, hidden ones too.
        deep: Whether folders in the folder are entered; hidden and system folders never are.

    Raises:
        DataError: A folder cannot be listed.
    """
    top = os.fspath(root)
    found: list[str] = []
    left_out = 0
    waiting = [""]
    with tqdm(desc=f"files in {_printable(top)}", unit=" files", disable=None, leave=False) as bar:
        while waiting:
            inside = waiting.pop()
            for entry in _entries(os.path.join(top, inside)):
                path = f"{inside}/{entry.name}" if inside else entry.name
                if entry.is_dir(follow_symlinks=False):
                    if deep and not is_hidden(entry.name):
                        waiting.append(path)
                elif extensions is not None and is_hidden(entry.name):
                    continue
                elif entry.is_file() and (extensions is None or _extension(entry.name) in extensions):
                    found.append(path)
                    bar.update()
                else:
                    left_out += 1
    return sorted(found, key=natural_order), left_out


def check_folder(root: str) -> None:
    """Nothing, if ``root`` is a folder.

    Raises:
        DataError: It does not exist, or is a file.
    """
    if not os.path.exists(root):
        raise DataError(f"data.root {root}: no such folder - check the path (now in {os.getcwd()})")
    if not os.path.isdir(root):
        raise DataError(f"data.root {root}: is a file, not a folder - name the folder that holds the images")


def _extension(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise DataError(f"data.root {folder}: cannot be listed ({error.strerror}) - check its permissions") from error


def _printable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()
