"""Journal: the rows of one process in the order in which they come; a kill costs the last batch at most.

A text file of JSON lines, ``NAME.rows``: a header, then a line for each row, and behind those of a batch a line with
their number and checksum. What a row has beside its values, such as features, lies in a file of its own as float32, as
many bytes for each row. A batch without its last line, or with another checksum, was not written to the end. It counts
as never written, and so does what comes behind it.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple, Self, final

from vitcli.table.columns import Value

# a journal goes down to the disk after as many seconds; what dies with a process alone is safe after each batch
SYNCED_AFTER_SECONDS = 5.0


class Entry(NamedTuple):
    """A row of a journal.

    Args:
        position: Of the image in the listing.
        seen: Whether the net has seen it: not so where it could not be read.
        values: Those of the table's columns.
    """

    position: int
    seen: bool
    values: Sequence[Value]


class Place(NamedTuple):
    """Where a row lies in a journal.

    Args:
        position: Of the image in the listing.
        seen: Whether the net has seen it.
        offset: Of its line, in bytes.
        number: Of the row, from 0.
    """

    position: int
    seen: bool
    offset: int
    number: int


@final
class Journal:
    """The journal that a process writes.

    Args:
        file: Where the rows go; it must not be there yet.
        header: About the journal, in plain values.
        widths: How many numbers each row has in the files beside it, by their ending.
    """

    def __init__(self, file: Path, header: Mapping[str, Any], widths: Mapping[str, int]) -> None:
        self.path = file
        self._widths = dict(widths)
        self._files: dict[str, IO[bytes]] = {name: beside(file, name).open("xb") for name in widths}
        self._rows: IO[bytes] = file.open("xb")
        self._rows.write(json.dumps(header).encode() + b"\n")
        self._flush()
        self._sync()
        # the names of the files are on the disk only when their folder is
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, batch: Sequence[Entry], numbers: Mapping[str, bytes]) -> None:
        """Write a batch, and hand it to the operating system.

        Args:
            batch: Its rows; there may be none.
            numbers: float32, little-endian, of all rows one after another, for each file beside the journal.

        Raises:
            OSError: It cannot be written; its file name is the journal's.
        """
        if not batch:
            return
        lines = b"".join(json.dumps([*entry[:2], *entry.values]).encode() + b"\n" for entry in batch)
        checksum = zlib.crc32(lines)
        try:
            for name, file in self._files.items():
                if len(numbers[name]) != 4 * self._widths[name] * len(batch):
                    raise ValueError(
                        f"{name}: {len(numbers[name])} bytes for {len(batch)} rows of {self._widths[name]}"
                    )
                file.write(numbers[name])
                checksum = zlib.crc32(numbers[name], checksum)
            end = json.dumps({"rows": len(batch), "crc32": checksum}).encode()
            self._rows.write(lines + end + b"\n")
            self._flush()
            if time.monotonic() - self._synced >= SYNCED_AFTER_SECONDS:
                self._sync()
        except OSError as error:
            error.filename = error.filename or os.fspath(self.path)
            raise

    def close(self) -> None:
        """Write what is left, down to the disk."""
        if not self._rows.closed:
            self._flush()
            self._sync()
            for file in (*self._files.values(), self._rows):
                file.close()

    def abandon(self) -> None:
        """Write what is left if it can be written, as it cannot be on a full disk."""
        with contextlib.suppress(OSError):
            self.close()
        for file in (*self._files.values(), self._rows):
            with contextlib.suppress(OSError):
                file.close()

    def _flush(self) -> None:
        for file in (*self._files.values(), self._rows):
            file.flush()

    def _sync(self) -> None:
        for file in (*self._files.values(), self._rows):
            os.fsync(file.fileno())
        self._synced = time.monotonic()


def beside(file: Path, name: str) -> Path:
    """The file of numbers beside a journal."""
    return file.with_suffix(f".{name}")


def read_header(file: Path) -> dict[str, Any] | None:
    """The header of a journal; None where not even that was written to the end."""
    with file.open("rb") as lines:
        header: dict[str, Any] | None = _object(lines.readline())
    return header


def read_batches(file: Path, widths: Mapping[str, int]) -> Iterator[list[Place]]:
    """The batches of a journal that were written to the end, in their order.

    Args:
        file: The journal.
        widths: As for Journal.
    """
    files = {name: beside(file, name).open("rb") for name in widths}
    try:
        with file.open("rb") as lines:
            offset, number, checksum = len(lines.readline()), 0, 0
            batch: list[Place] = []
            for line in lines:
                if line.startswith(b"["):
                    if (told := _object(line)) is None:
                        return
                    batch.append(Place(told[0], told[1], offset, number + len(batch)))
                    checksum = zlib.crc32(line, checksum)
                else:
                    for name, numbers in files.items():
                        checksum = zlib.crc32(numbers.read(4 * widths[name] * len(batch)), checksum)
                    if _object(line) != {"rows": len(batch), "crc32": checksum}:
                        return
                    yield batch
                    number, checksum, batch = number + len(batch), 0, []
                offset += len(line)
    finally:
        for numbers in files.values():
            numbers.close()


def _object(line: bytes) -> Any:
    """What a line holds; None for one that was not written to the end."""
    try:
        return json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
