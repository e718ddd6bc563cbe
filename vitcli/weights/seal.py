"""Seal of a checkpoint: the SHA-256 of the file in the file, as the comment of the zip archive that torch writes."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import BinaryIO, final

# the end of a zip archive: its record of 22 bytes, of which the last two are the length of the comment behind it
END, END_LENGTH = b"PK\x05\x06", 22
MARK = b"vitcli sha256 "
LENGTH = len(MARK) + 2 * hashlib.sha256().digest_size
READ_AT_ONCE = 2**22


@final
class Sealing:
    """A file that torch writes a zip archive to, and that ends with the digest of all that comes before it.

    The digest is made of the bytes as they are handed over, so that reading the file again shows whether they arrived.
    The comment of a zip archive is its very end and belongs to no record: torch, unzip and others read the archive as
    ever, and ``unzip -z`` shows the digest.

    Args:
        file: Opened for writing bytes; ``close`` leaves it open.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        # the last two bytes so far
        self._last = b""

    def write(self, data: bytes | memoryview) -> int:
        """Write, but for the last two bytes, which the end of the archive replaces."""
        view = memoryview(data).cast("B")
        if len(view) < 2:
            self._put(self._last[: len(view) + len(self._last) - 2])
            self._last = (self._last + bytes(view))[-2:]
        else:
            self._put(self._last)
            self._put(view[:-2])
            self._last = bytes(view[-2:])
        return len(view)

    def flush(self) -> None:
        """Flush the file."""
        self._file.flush()

    def close(self) -> None:
        """End the archive with its digest.

        Raises:
            ValueError: What was written is no zip archive, or one with a comment.
        """
        if self._last != b"\0\0":
            raise ValueError("only a zip archive without a comment can be sealed")
        self._put(LENGTH.to_bytes(2, "little"))
        self._file.write(MARK + self._digest.hexdigest().encode())
        self._file.flush()

    def _put(self, data: bytes | memoryview) -> None:
        self._file.write(data)
        self._digest.update(data)


def is_intact(path: Path) -> bool | None:
    """Whether a file holds the bytes that were sealed; None for one without a seal, as vitcli 0.0 and others write it.

    One flipped bit anywhere is found: in the archive by the digest, and in the seal itself by the other half of it, the
    end of the archive and the mark, either of which says that there is one.

    Args:
        path: The file.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < END_LENGTH + LENGTH:
            return None
        file.seek(size - LENGTH - END_LENGTH)
        end, seal = file.read(END_LENGTH), file.read(LENGTH)
        ends_there = end.startswith(END) and end[-2:] == LENGTH.to_bytes(2, "little")
        if not ends_there and not seal.startswith(MARK):
            return None
        return seal == MARK + digest(file, size - LENGTH).encode()


def digest(file: BinaryIO, length: int) -> str:
    """The SHA-256 of the first bytes of a file, in hexadecimal digits.

    Args:
        file: Opened for reading bytes.
        length: How many bytes.
    """
    file.seek(0)
    found, buffer = hashlib.sha256(), memoryview(bytearray(min(READ_AT_ONCE, max(1, length))))
    while length > 0 and (count := file.readinto(buffer[: min(length, len(buffer))])):  # type: ignore[attr-defined]
        found.update(buffer[:count])
        length -= count
    return found.hexdigest()
