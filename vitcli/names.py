"""Names of files and folders: natural sort order, hidden and system ones, extensions, and printable names."""

from __future__ import annotations

import os
import re
import shlex
import unicodedata
from collections.abc import Sequence
from pathlib import Path

# Written by macOS archives and Synology; folders with a leading dot are left out as well.
SYSTEM_FOLDERS = frozenset(("__MACOSX", "@eaDir"))
DIGITS = re.compile("([0-9]+)")
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
# Unicode's categories of control and format characters, lone surrogates, and separators of lines and paragraphs
UNSEEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))

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


def natural_bytes(path: str) -> bytes:
    """A key that sorts as natural_order does, in a fifth of its memory: for a million paths at once.

    Args:
        path: A path whose folders are separated by ``/``; without a NUL.
    """
    return b"\1".join(map(_name_bytes, path.split("/"))) + b"\0" + path.encode("utf-8", "surrogatepass")


def _name_bytes(name: str) -> bytes:
    # UTF-8 sorts as code points do. A text ends with NUL, below every letter; a number begins with its count of digits,
    # and the end of a name with a count that no number has.
    found = []
    for place, part in enumerate(DIGITS.split(name.casefold())):
        digits = part.lstrip("0").encode("utf-8", "surrogatepass") if place % 2 else b""
        number = (len(digits) + 1).to_bytes(4, "big") + digits
        found.append(number if place % 2 else part.encode("utf-8", "surrogatepass") + b"\0")
    return b"".join(found) + bytes(4)


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


def is_url(path: str) -> bool:
    """Whether a path is an address with a scheme, such as ``s3://photos/train``, and lies on no disk."""
    return URL.match(path) is not None


def absolute(path: str) -> str:
    """A path from the root of the disk on; an address as it is."""
    return path if is_url(path) else os.path.abspath(path)


def resolved(path: str) -> str:
    """A path from the root of the disk on, without links; an address as it is."""
    return path if is_url(path) else os.path.realpath(path)


def printable(name: str) -> str:
    """A name for any terminal or file, in one line and as it reads.

    Escaped with backslashes are control characters (which move the cursor, or ring), format characters (which have no
    width, or turn the direction of the text), separators of lines, and bytes that are not UTF-8.
    """
    if name.isprintable():
        return name
    return "".join(_escaped(char) if unicodedata.category(char) in UNSEEN else char for char in name)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def counted(number: int, noun: str) -> str:
    """A number and what it counts: ``1 image``, ``2,500 images``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def quoted(path: object) -> str:
    """A path as a shell takes it, so that a command that is printed can be pasted.

    A path with characters that a terminal would act upon is written as bash and zsh read it, in ``$'...'``.
    """
    name = str(path)
    if printable(name) == name:
        return shlex.quote(name)
    return "$'" + "".join(map(_in_ansi_quotes, name)) + "'"


def _in_ansi_quotes(char: str) -> str:
    if char in "\\'":
        return f"\\{char}"
    if unicodedata.category(char) not in UNSEEN:
        return char
    return "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogateescape"))


def at_home(path: str) -> str:
    """A path whose leading ``~`` is the home folder; a shell leaves it as it is behind ``--option=``."""
    return os.path.expanduser(path)


def existing_above(path: Path) -> Path:
    """Of the folders above a path that may not exist yet, the nearest that does: absolute, and perhaps no folder."""
    return next(above for above in path.absolute().parents if above.exists())


def first_of(names: Sequence[str], most: int = 5, between: str = ", ") -> str:
    """The first of some names, and how many more there are."""
    return between.join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
