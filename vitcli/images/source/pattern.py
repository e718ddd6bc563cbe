"""Patterns (globs) such as ``photos/**/*.jpg``: the paths that they match, as a shell would name them."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable, Iterator

from vitcli.errors import DataError
from vitcli.images.source.walk import find_folders, list_folder
from vitcli.names import is_hidden, natural_order

ANY_DEPTH = "**"


def is_pattern(path: str) -> bool:
    """Whether a path is a pattern: it holds ``*``, ``?`` or ``[``, and no file or folder of that very name exists."""
    return any(char in path for char in "*?[") and not os.path.lexists(path)


def spelled_out(named: Iterable[str], follow_links: bool = False) -> list[str]:
    """The paths that are named: what a pattern matches, in natural order, and every other one as it is.

    Args:
        named: Paths and patterns.
        follow_links: Whether ``**`` enters folders that are links.

    Raises:
        DataError: A path does not exist, a pattern matches nothing, or a folder cannot be listed.
    """
    found: list[str] = []
    for path in named:
        if is_pattern(path):
            matches = matching(path, follow_links)
            if not matches:
                raise DataError(f"data.root {path}: matches nothing; check the pattern (now in {os.getcwd()})")
            found += matches
        elif os.path.exists(path):
            found.append(path)
        else:
            raise DataError(f"data.root {path}: no such file or folder; check the path (now in {os.getcwd()})")
    return found


def matching(pattern: str, follow_links: bool = False) -> list[str]:
    """The files and folders that a pattern matches, in natural order.

    ``*``, ``?`` and ``[...]`` stand for characters within a name, and ``**`` for folders at any depth, also none.
    Hidden names are matched only where the pattern has their dot, and a part of the pattern that exists under that very
    name is taken literally.

    Args:
        pattern: Parts separated by ``/``.
        follow_links: Whether ``**`` enters folders that are links.

    Raises:
        DataError: A folder cannot be listed.
    """
    start = "/" if pattern.startswith("/") else ""
    found = set(_below(start, [part for part in pattern.split("/") if part], follow_links))
    return sorted(filter(os.path.isdir, found) if pattern.endswith("/") else found, key=natural_order)


def _below(folder: str, parts: list[str], follow_links: bool) -> Iterator[str]:
    if not parts:
        yield folder or os.curdir
        return
    part, *rest = parts
    if part == ANY_DEPTH:
        for inner in _folders(folder, follow_links, {os.path.realpath(folder)}):
            yield from _below(inner, rest, follow_links)
    elif os.path.lexists(path := os.path.join(folder, part)):
        if not rest or os.path.isdir(path):
            yield from _below(path, rest, follow_links)
    elif os.path.isdir(folder or os.curdir):
        for entry in list_folder(folder or os.curdir):
            hidden = is_hidden(entry.name) and not part.startswith(".")
            if not hidden and fnmatch.fnmatchcase(entry.name, part) and (not rest or entry.is_dir()):
                yield from _below(os.path.join(folder, entry.name), rest, follow_links)


def _folders(folder: str, follow_links: bool, seen: set[str]) -> Iterator[str]:
    """A folder and all visible ones below it, each once."""
    yield folder
    for name in find_folders(folder or os.curdir, follow_links) if os.path.isdir(folder or os.curdir) else ():
        inner = os.path.join(folder, name)
        if (real := os.path.realpath(inner)) not in seen:
            seen.add(real)
            yield from _folders(inner, follow_links, seen)
