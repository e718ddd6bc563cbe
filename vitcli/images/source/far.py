"""FarFile: a file that lies in a store, to be read by whoever wants a file handle: ranges are fetched, in blocks."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, final
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile

if TYPE_CHECKING:
    from vitcli.images.source.ranges import Ranges

# of a member of a zip (APPNOTE.TXT, section 4.3.7): signature, method, and the lengths of name and extra field
LOCAL_HEADER = struct.Struct("<4s4xH16xHH")
SIGNATURE = b"PK\3\4"


@final
class FarFile:
    """The only file of some ranges, listed now.

    Args:
        ranges: Where it lies.

    Raises:
        DataError: It is not there.
    """

    def __init__(self, ranges: Ranges) -> None:
        self.ranges = ranges
        self.name, self.size, self.version = ranges.names()[0]

    def read(self, start: int, size: int) -> bytes:
        """Exactly so many bytes.

        Raises:
            OSError: It cannot be read.
            EOFError: It ends before.
        """
        return self.ranges.read(self.name, start, size)

    def ahead(self, spans: Sequence[tuple[int, int]]) -> None:
        """Ranges that will be read soon: where each begins, and how many bytes it has."""
        self.ranges.ahead([(self.name, start, size) for start, size in spans])

    def opened(self) -> io.BufferedReader:
        """A file handle, for which whole blocks are fetched."""
        return io.BufferedReader(_Handle(self))


@final
class _Handle(io.RawIOBase):
    """A file handle: whole blocks are fetched, and the latest is kept."""

    def __init__(self, file: FarFile) -> None:
        self._file = file
        self._place = 0
        self._held = (0, b"")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._file.size}[whence]
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        block = self._file.ranges.block_bytes
        start, held = self._held
        if not start <= self._place < start + len(held):
            start = self._place // block * block
            size = max(0, min(block, self._file.size - start))
            following = range(start + size, min(self._file.size, start + 4 * block), block)
            self._file.ahead([(next_one, min(block, self._file.size - next_one)) for next_one in following])
            held = self._file.read(start, size)
            self._held = start, held
        found = held[self._place - start : self._place - start + len(buffer)]
        buffer[: len(found)] = found
        self._place += len(found)
        return len(found)


def read_member(span: bytes, size: int, checksum: int) -> bytes:
    """The content of a zip's member.

    Args:
        span: The bytes from its header to the next one.
        size: Of the content, as the zip's directory has it.
        checksum: Its CRC-32, from there too.

    Raises:
        BadZipFile: It is damaged, or compressed in another way than zips are.
    """
    try:
        signature, method, name, extra = LOCAL_HEADER.unpack_from(span)
    except struct.error as error:
        raise BadZipFile("its header is cut off") from error
    if signature != SIGNATURE:
        raise BadZipFile("Bad magic number for file header")
    packed = memoryview(span)[LOCAL_HEADER.size + name + extra :]
    if method == ZIP_STORED:
        content = bytes(packed[:size])
    elif method == ZIP_DEFLATED:
        content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, size + 1)
    else:
        raise BadZipFile(f"compressed by method {method}, which is not read from a store")
    if len(content) != size or zlib.crc32(content) != checksum:
        raise BadZipFile("Bad CRC-32 or size")
    return content
