"""Names inside of archives, and the limits against hostile contents that all kinds of archives share."""

from __future__ import annotations

from pathlib import PurePosixPath

from vitcli.errors import DataError

# A picture of 100 million pixels takes less even uncompressed.
MOST_BYTES = 2**29
# without these, no part of a name is empty, a dot, two dots or a drive
ODD = ("\\", ":", "//", "/.")


def inner_path(root: str, name: str) -> str:
    """The path of a member below the archive's root, separated by ``/``.

    Args:
        root: Of the archive, for the message.
        name: As the archive has it.

    Raises:
        DataError: The name points outside of the archive.
    """
    # nearly every name is its own path, and a set of shards has millions
    if name[:1] not in ("", "/", ".") and not any(part in name for part in ODD) and name[-1] != "/":
        return name
    if not is_inside(name):
        raise DataError(f"data.root {root}: {name!r} points outside of the archive; download it again, from its source")
    return str(_path(name))


def is_inside(name: str) -> bool:
    """Whether a name leads to a place below the root that it is joined to."""
    path = _path(name)
    return not (path.is_absolute() or ".." in path.parts or (path.parts and ":" in path.parts[0]))


def _path(name: str) -> PurePosixPath:
    return PurePosixPath(name.replace("\\", "/"))


def too_large(size: int) -> str:
    """Why a member of so many bytes is left out; empty if it is not."""
    return f"larger than {MOST_BYTES >> 20} MB" if size > MOST_BYTES else ""
