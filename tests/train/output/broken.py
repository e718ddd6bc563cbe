"""Many small pictures, some of them broken in ten ways, for tables that have to have a row for each."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from tests.conftest import picture_bytes


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _huge() -> bytes:
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(b"")) + _chunk(b"IEND", b"")


PNG, JPEG = picture_bytes(1), picture_bytes(1, "JPEG")
# each unreadable in a way of its own
BROKEN: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "zeros": lambda: bytes(1000),
    "text": lambda: b"no picture\n",
    "page": lambda: b"<!DOCTYPE html><title>404</title>",
    "signature": lambda: PNG[:8],
    "cut png": lambda: PNG[: len(PNG) // 2],
    "cut jpeg": lambda: JPEG[: len(JPEG) // 2],
    "torn": lambda: PNG[:60] + bytes(len(PNG) - 60),
    "huge": _huge,
    "archive": lambda: b"PK\x03\x04" + bytes(100),
}


def write_many(folder: Path, count: int, *, broken: int = 0, kinds: int = 50) -> None:
    """Pictures in folders of 1,000: links to some files, so that 20,000 of them take a second.

    Args:
        folder: Where they go.
        count: How many there are.
        broken: How many of them are broken, in all ways in turn.
        kinds: How many pictures differ.
    """
    originals = folder.with_name(f"{folder.name}-originals")
    originals.mkdir(parents=True)
    contents = [picture_bytes(number) for number in range(kinds)]
    for number, content in enumerate([*contents, *(make() for make in BROKEN.values())]):
        (originals / str(number)).write_bytes(content)
    every = count // broken if broken else count + 1
    for number in range(count):
        place = folder / f"{number // 1000}"
        place.mkdir(parents=True, exist_ok=True)
        is_broken = number % every == every - 1
        original = kinds + (number // every) % len(BROKEN) if is_broken else number % kinds
        (place / f"{number}.png").hardlink_to(originals / str(original))
