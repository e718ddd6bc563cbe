"""Headers of a tar (ustar, pax, GNU): the members of one that is not compressed, in their order, without its contents.

tarfile of the standard library says the same, in 60 to 150 microseconds a member; a set of shards has millions, a pax
header with each of them as WebDataset writes it.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from typing import NamedTuple, final

from vitcli.images.source.ranges import Ranges

BLOCK = 512
END = bytes(BLOCK)
# of a long name, or of a pax header
MOST_TOLD = 2**16
# what is read where much lies between two headers: the header, and a label behind it
LITTLE = 4096
COMPRESSED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ": "xz"}
# the content of any other kind is passed over
KINDS = {b"5": "folder", b"1": "link", b"2": "link", b"3": "special", b"4": "special", b"6": "special"}


class Member(NamedTuple):
    """An entry of a tar.

    Args:
        name: As the tar has it.
        size: In bytes.
        start: Where its content begins in the tar.
        kind: file, folder, link, special (a device or a pipe) or other.
    """

    name: str
    size: int
    start: int
    kind: str


@final
class Window:
    """A file that is read from its beginning to its end, in blocks, or in pieces where much of it is passed over.

    Args:
        ranges: Where it lies.
        name: Its name there.
        size: In bytes.
    """

    def __init__(self, ranges: Ranges, name: str, size: int) -> None:
        self.ranges = ranges
        self.name = name
        self.size = size
        self._start = 0
        self._held = b""

    def take(self, start: int, count: int) -> bytes:
        """So many bytes from a place on; fewer where the file ends before.

        Raises:
            OSError: It cannot be read.
            EOFError: It is shorter than it was said to be.
        """
        count = min(count, self.size - start)
        if count <= 0:
            return b""
        offset = start - self._start
        if offset < 0 or offset + count > len(self._held):
            gap = offset - len(self._held)
            block = self.ranges.block_bytes
            wanted = block if -len(self._held) <= gap <= block // 4 else LITTLE
            self._held = self.ranges.read(self.name, start, min(max(count, wanted), self.size - start))
            self._start, offset = start, 0
        return self._held[offset : offset + count]


def members(window: Window) -> Iterator[Member]:
    """The members of a tar.

    Args:
        window: The tar.

    Raises:
        ValueError: It is no tar, damaged, compressed, or ends too early; says so in a few words.
        OSError: It cannot be read.
    """
    place = 0
    told: dict[bytes, bytes] = {}
    while True:
        block = window.take(place, BLOCK)
        if block == END:
            return
        for magic, program in COMPRESSED.items() if not place else ():
            if block.startswith(magic):
                raise ValueError(f"it is compressed with {program}")
        if len(block) < BLOCK:
            raise ValueError("it is empty" if not window.size else "it is truncated: the mark of its end is missing")
        _check(block, place)
        kind, size = block[156:157], _size(_number(block[124:136]))
        if kind in b"xgLK":
            if size > MOST_TOLD:
                raise ValueError(f"a header of {size:,} bytes")
            content = _whole(window, place + BLOCK, size)
            if kind == b"x":
                told |= _records(content)
            elif kind == b"L":
                told[b"path"] = content.rstrip(b"\0")
        else:
            size = _size(int(told.get(b"size", size)))
            name = told.get(b"path") or _name(block)
            what = _kind(kind, name, told)
            if what not in ("file", "other"):
                # a link may have a size, but has no content
                size = 0
            if place + BLOCK + size > window.size:
                raise ValueError(f"it is truncated: {os.fsdecode(name)!r} would end behind it")
            yield Member(os.fsdecode(name).rstrip("/"), size, place + BLOCK, what)
            told = {}
        place += BLOCK + -(-size // BLOCK) * BLOCK


def _check(block: bytes, place: int) -> None:
    """Check the sum that a header has of itself."""
    field = block[148:156]
    try:
        said = int(field.strip(b" \0") or b"-1", 8)
    except ValueError:
        said = -1
    # The field itself counts as blanks. Adler's first sum is 1 and that of all bytes, modulo 65521, a hundred times as
    # fast as sum(); some old programs added bytes with a sign.
    blanks = 8 * 32 - sum(field)
    if (zlib.adler32(block) - 1 + blanks - said) & 0xFFFF:
        unsigned = sum(block) + blanks
        signed = unsigned - 256 * sum(byte > 127 for byte in (*block[:148], *block[156:]))
        if said not in (unsigned, signed):
            raise ValueError("it is no tar" if not place else f"a damaged header at byte {place:,}")


def _size(told: int) -> int:
    # one below zero would lead back to what has been read
    if told < 0:
        raise ValueError(f"a size of {told:,} bytes")
    return told


def _number(field: bytes) -> int:
    if field[0] & 0x80:
        # GNU: the number itself, where octal digits do not suffice
        return int.from_bytes(field[1:], "big")
    return int(field.split(b"\0", 1)[0].strip() or b"0", 8)


def _name(block: bytes) -> bytes:
    name = block[:100].split(b"\0", 1)[0]
    # GNU's own format has times where ustar has the folders of a long path
    folders = block[345:500].split(b"\0", 1)[0] if block[257:263] == b"ustar\0" else b""
    return folders + b"/" + name if folders else name


def _kind(kind: bytes, name: bytes, told: dict[bytes, bytes]) -> str:
    if kind in (b"0", b"\0", b"7"):
        if any(key.startswith(b"GNU.sparse") for key in told):
            return "other"
        return "folder" if name.endswith(b"/") else "file"
    if kind == b"S":
        raise ValueError(f"{os.fsdecode(name)!r} is a sparse file")
    return KINDS.get(kind, "other")


def _whole(window: Window, start: int, size: int) -> bytes:
    content = window.take(start, size)
    if len(content) < size:
        raise ValueError("it is truncated in a header")
    return content


def _records(content: bytes) -> dict[bytes, bytes]:
    """The records of a pax header: each ``LENGTH KEY=VALUE`` and a line end."""
    found: dict[bytes, bytes] = {}
    while content.rstrip(b"\0"):
        length, blank, _ = content.partition(b" ")
        if not blank or not length.isdigit() or not len(length) < int(length) <= len(content):
            raise ValueError("a damaged pax header")
        key, _, value = content[len(length) + 1 : int(length) - 1].partition(b"=")
        found[key] = value
        content = content[int(length) :]
    return found
