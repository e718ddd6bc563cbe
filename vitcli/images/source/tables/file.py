"""A file of ranges as the file object that pyarrow reads from."""

from __future__ import annotations

import io
import os
from typing import final

from vitcli.images.source.ranges import Ranges


@final
class RangesFile(io.RawIOBase):
    """A file, on a disk or in a store, that is read from any place.

    Args:
        ranges: Where it lies.
        name: As its ranges know it.
        size: In bytes.
    """

    def __init__(self, ranges: Ranges, name: str, size: int) -> None:
        super().__init__()
        self.ranges = ranges
        self.name = name
        self.size = size
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """The next byte that is read."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a byte."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """So many bytes, or those that are left."""
        left = max(0, self.size - self._at)
        size = left if size is None or size < 0 else min(size, left)
        content = self.ranges.read(self.name, self._at, size) if size else b""
        self._at += size
        return content

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """As many bytes as there is room for."""
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)
