"""Plan of packing: which picture goes into which shard, and under which name, so that WebDataset reads it too."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from vitcli.images.source.entries import Entry
from vitcli.images.source.inner import is_inside
from vitcli.images.source.shards.headers import BLOCK
from vitcli.names import extension, natural_order

# the end of a tar is filled up to a multiple of it
RECORD = 20 * BLOCK
# of a label or a path in a member of its own
BESIDE = 2 * BLOCK


class Picture(NamedTuple):
    """A picture to be packed.

    Args:
        entry: Its path, size and version where it lies.
        key: Its name in the shard, without an ending.
        number: Of its class; None where it has no label.
        is_renamed: Whether the key and the ending do not make its path, which is then kept beside it. A path that leads
            out of the root is not: no archive may hold one.
    """

    entry: Entry
    key: str
    number: int | None
    is_renamed: bool


class Planned(NamedTuple):
    """A shard to be written.

    Args:
        name: Of the file.
        pictures: In their order.
        plan: A hash of what goes into it.
        bytes: About how large it becomes.
    """

    name: str
    pictures: list[Picture]
    plan: str
    bytes: int


def keys_of(paths: Sequence[str]) -> dict[str, str]:
    """The key of each picture: its path without the ending, where no other has the same and WebDataset reads it whole.

    To WebDataset a name ends at its first dot. A path with more of them, above the root, or of which another differs
    in the ending only, has a key of its own.

    Args:
        paths: Of all pictures that are packed together.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    others = []
    for path in sorted(paths, key=natural_order):
        stem = path[: len(path) - len(extension(path))]
        if stem in taken or stem != _plain(stem):
            others.append((path, stem))
        else:
            taken.add(stem)
            found[path] = stem
    for path, stem in others:
        key, number = _plain(stem), 2
        while key in taken:
            key, number = f"{_plain(stem)}~{number}", number + 1
        taken.add(key)
        found[path] = key
    return found


def _plain(stem: str) -> str:
    parts = [part for part in PurePosixPath(stem.replace("\\", "/").replace(":", "_")).parts if part not in ("/", "..")]
    return "/".join([*parts[:-1], (parts[-1] if parts else "").replace(".", "_")]) if parts else "_"


def planned(
    prefix: str,
    entries: Iterable[Entry],
    keys: Mapping[str, str],
    numbers: Mapping[str, int],
    most_bytes: int,
) -> Iterator[Planned]:
    """The shards of a split.

    Args:
        prefix: Of their names, such as ``train-``.
        entries: The pictures, in their order.
        keys: Of each path.
        numbers: The class of each path that has one.
        most_bytes: Of a shard, but for one picture that is larger.
    """
    held: list[Picture] = []
    total, number = BESIDE, 0
    for entry in entries:
        key = keys[entry.path]
        stem = entry.path[: len(entry.path) - len(extension(entry.path))]
        is_renamed = (key != stem or not extension(entry.path)) and is_inside(entry.path)
        picture = Picture(entry, key, numbers.get(entry.path), is_renamed)
        size = BLOCK + -(-entry.size // BLOCK) * BLOCK + BESIDE * ((picture.number is not None) + picture.is_renamed)
        if held and -(-(total + size) // RECORD) * RECORD > most_bytes:
            yield _shard(f"{prefix}{number:06d}.tar", held, total)
            held, total, number = [], BESIDE, number + 1
        held.append(picture)
        total += size
    if held:
        yield _shard(f"{prefix}{number:06d}.tar", held, total)


def _shard(name: str, pictures: list[Picture], size: int) -> Planned:
    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(os.fsencode(json.dumps(picture)))
    return Planned(name, pictures, digest.hexdigest()[:32], size)
