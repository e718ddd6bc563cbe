"""Places: where in a file the bytes of each row's image lie, so that a worker reads that range and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

from vitcli.images.source.ranges import Ranges
from vitcli.images.source.tables.columns import Images
from vitcli.images.source.tables.table import Table
from vitcli.machine.arrow import filled

# size of what has no bytes
NOTHING = -1
# what may lie between one image and the next: headers of pages, and other columns of an Arrow batch
BETWEEN_BYTES = 2**22
# of an image, what is searched for
HEAD_BYTES = 64
LENGTH_BYTES = 4


@final
@dataclass(frozen=True)
class Places:
    """The range of each row's image.

    Args:
        name: The file, as its ranges know it.
        starts: int64 (rows,), the first byte.
        sizes: int64 (rows,), in bytes; NOTHING for a row without an image.
    """

    name: str
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]

    @classmethod
    def of(cls, name: str, found: list[tuple[NDArray[np.int64], NDArray[np.int64]]]) -> Self:
        """Ranges that were found part by part."""
        nothing = (np.zeros(0, dtype=np.int64),) * 2
        starts, sizes = zip(*(found or [nothing]), strict=True)
        return cls(name, np.concatenate(starts), np.concatenate(sizes))


def in_arrow(table: Table, images: Images) -> Places | None:
    """The ranges in an Arrow file on a disk, from its offsets alone; None where its bodies are compressed.

    An array's buffer is a part of the mapped file, and its address says which.

    Raises:
        DataError: The file is cut off or damaged.
    """
    import pyarrow

    whole = table.mapped
    found = []
    for array in table.column(images.column, images.child):
        kind = np.int64 if pyarrow.types.is_large_binary(array.type) else np.int32
        if pyarrow.types.is_binary_view(array.type):
            return None
        _, offsets, content = array.buffers()
        bounds = np.zeros(1, np.int64) if offsets is None else np.frombuffer(offsets, kind).astype(np.int64)
        bounds = bounds[array.offset : array.offset + len(array) + 1]
        begin = 0
        if content is not None and content.size:
            begin = content.address - whole.address
            if not 0 <= begin <= whole.size - content.size:
                return None
        found.append((begin + bounds[:-1], _without_nulls(np.diff(bounds), array)))
    return Places.of(table.name, found)


def in_parquet(table: Table, images: Images) -> Places | None:
    """The ranges in a Parquet file, found by looking for each image in its uncompressed column; None in another one.

    ``datasets`` writes images uncompressed (version 5). pyarrow does not tell where a value lies, but values follow
    each other, up to the header of the next page: what is found is compared byte for byte, so that a range is right
    whatever the encoding, and where nothing is found the images are laid out instead. Each row group is read once.

    Raises:
        DataError: The file is cut off or damaged.
    """
    path = images.column if images.child is None else f"{images.column}.{images.child}"
    found = []
    for group in range(table.metadata.num_row_groups):
        chunks = table.metadata.row_group(group)
        chunk = next(each for each in map(chunks.column, range(chunks.num_columns)) if each.path_in_schema == path)
        if chunk.compression != "UNCOMPRESSED":
            return None
        begin = min(chunk.data_page_offset, chunk.dictionary_page_offset or chunk.data_page_offset)
        region = _Region(table.ranges, table.name, begin, begin + chunk.total_compressed_size)
        for array in table.column(images.column, images.child, group):
            if (places := _found(array, region)) is None:
                return None
            found.append(places)
    return Places.of(table.name, found)


@final
class _Region:
    """A part of a file that is gone through from its beginning.

    Args:
        ranges: Where the file lies.
        name: Of the file.
        begin: The first byte.
        end: The byte behind the last.
    """

    def __init__(self, ranges: Ranges, name: str, begin: int, end: int) -> None:
        self.ranges = ranges
        self.name = name
        self.at = begin
        self.end = end
        self._held, self._begin = b"", begin

    def next(self, content: bytes) -> int | None:
        """Where some bytes lie from here on; the next search begins behind them."""
        # at once, or behind the length that stands before a value, or behind the header of a page
        for start in (self.at, self.at + LENGTH_BYTES):
            if self._bytes(start, len(content)) == content:
                self.at = start + len(content)
                return start
        head, last = content[:HEAD_BYTES], min(self.end, self.at + BETWEEN_BYTES)
        place = self._bytes(self.at, last - self.at).find(head)
        while place >= 0:
            start = self.at + place
            if self._bytes(start, len(content)) == content:
                self.at = start + len(content)
                return start
            place = self._bytes(self.at, last - self.at).find(head, place + 1)
        return None

    def _bytes(self, start: int, size: int) -> bytes:
        """Bytes of the region, read ahead; fewer at its end."""
        size = min(size, self.end - start)
        if size <= 0:
            return b""
        if not self._begin <= start <= start + size <= self._begin + len(self._held):
            block = min(max(size, self.ranges.block_bytes), self.end - start)
            self._held, self._begin = self.ranges.read(self.name, start, block), start
        return self._held[start - self._begin : start - self._begin + size]


def _found(array: Any, region: _Region) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    starts = np.zeros(len(array), dtype=np.int64)
    sizes = np.full(len(array), NOTHING, dtype=np.int64)
    for row, content in enumerate(array.to_pylist()):
        if content is None:
            continue
        if (start := region.next(content)) is None:
            return None
        starts[row], sizes[row] = start, len(content)
    return starts, sizes


def _without_nulls(sizes: NDArray[np.int64], array: Any) -> NDArray[np.int64]:
    if not array.null_count:
        return sizes
    return np.where(filled(array.is_null(), np.uint8(0)), NOTHING, sizes)
