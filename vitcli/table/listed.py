"""Listed images of a table, in a file of the work folder: by it a later start knows what has come, changed and gone."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from vitcli.machine.atomic import replacing


class Listed(NamedTuple):
    """An image of a listing, at its position in it.

    Args:
        path: Its path.
        size: In bytes, 0 where it is no file.
        version: Another one when the file has changed.
        label: Name of its class; empty when unknown.
    """

    path: str
    size: int
    version: int
    label: str


class Changes(NamedTuple):
    """How a listing differs from an earlier one.

    Args:
        new: How many images have come.
        changed: How many are others under their name.
        gone: How many are there no longer.
        places: For each position in the earlier listing, that of the same image, unchanged, in the later one; or -1.
    """

    new: int
    changed: int
    gone: int
    places: list[int]


def fingerprint(listed: Iterable[Listed]) -> str:
    """A hash that changes with anything in a listing, and with its order."""
    digest = hashlib.sha256()
    for image in listed:
        digest.update(_line(image))
    return digest.hexdigest()[:16]


def write_listed(file: Path, listed: Iterable[Listed]) -> None:
    """Keep a listing in a file."""
    with replacing(file) as part, part.open("wb") as lines:
        lines.writelines(map(_line, listed))
        lines.flush()
        os.fsync(lines.fileno())


def read_listed(file: Path) -> Iterator[Listed]:
    """What write_listed has written."""
    with file.open("rb") as lines:
        for line in lines:
            yield Listed(*json.loads(line))


def changes(earlier: Iterable[Listed], later: Iterable[Listed]) -> Changes:
    """How a listing differs from an earlier one; of a path that is listed twice, one image is known again."""
    places = {image.path: (position, image) for position, image in enumerate(later)}
    changed = gone = 0
    found = []
    for image in earlier:
        position, now = places.pop(image.path, (-1, image))
        gone += position < 0
        changed += now != image
        found.append(position if now == image else -1)
    return Changes(len(places), changed, gone, found)


def _line(image: Listed) -> bytes:
    return json.dumps(image).encode() + b"\n"
