"""Names of files and folders: natural sort order, hidden and system ones, extensions, and printable names."""

from __future__ import annotations

import re

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
    """Whether a file or folder of this name is hidden, or written by a system."""
    return name.startswith(".") or name in SYSTEM_FOLDERS


def extension(path: str) -> str:
    """The extension of a visible file's name in lower case, with its dot; empty if it has none."""
    dot = path.rfind(".")
    return path[dot:].lower() if dot > path.rfind("/") else ""


def printable(name: str) -> str:
    """A name for any terminal or file; bytes that are not UTF-8 are escaped with backslashes."""
    return name.encode("utf-8", "backslashreplace").decode()
