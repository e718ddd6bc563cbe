"""Whether a folder would be among the images that roots name, so that what is sorted into it is found the next time."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from vitcli.images.source.pattern import ANY_DEPTH, is_pattern

# a folder for a class, and a file in it
DEEPER = ("x", "x.jpg")


def is_inside(folder: Path, roots: Iterable[str]) -> bool:
    """Whether a folder, or a file in the folders in it, is or lies below one of the roots.

    Args:
        folder: It need not be there yet.
        roots: Folders, files and patterns, as they were named.
    """
    place = os.path.realpath(folder)
    for root in roots:
        if is_pattern(root):
            if _matches(os.path.realpath(os.curdir), place, root):
                return True
        elif os.path.isdir(root) and _is_below(place, os.path.realpath(root)):
            return True
    return False


def _is_below(path: str, root: str) -> bool:
    return os.path.commonpath((path, root)) == root


def _matches(here: str, place: str, pattern: str) -> bool:
    """Whether a pattern matches a folder, one above it, or what will lie in it."""
    wanted = os.path.normpath(os.path.join(here, pattern)).split(os.sep)
    parts = [*place.split(os.sep), *DEEPER]
    return any(_fits(parts[:length], wanted) for length in range(1, len(parts) + 1))


def _fits(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    if not wanted:
        return not parts
    first, *rest = wanted
    if first == ANY_DEPTH:
        return any(_fits(parts[skipped:], rest) for skipped in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], first) and _fits(parts[1:], rest)
