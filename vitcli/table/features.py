"""Features beside a table of CSV or JSON lines: NumPy's file format (.npy), a row for each row of the table."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import IO, Self, final

MAGIC = b"\x93NUMPY\x01\x00"
# of the header, with its length, as numpy.lib.format asks for
ALIGNED = 64


def features_of(table: Path) -> Path:
    """Where the features of a table lie, if they are no column of it: ``a.csv`` has ``a.csv.features.npy``."""
    return table.with_name(f"{table.name}.features.npy")


@final
class FeaturesWriter:
    """float32 (rows, width) as .npy, row by row (numpy.lib.format, version 1.0), without NumPy.

    Args:
        path: The file.
        rows: How many there will be.
        width: Numbers in each.
    """

    def __init__(self, path: Path, rows: int, width: int) -> None:
        about = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {width}), }}"
        fill = -(len(MAGIC) + 2 + len(about) + 1) % ALIGNED
        header = f"{about}{' ' * fill}\n".encode("latin1")
        self.file: IO[bytes] = path.open("wb")
        self.file.write(MAGIC + len(header).to_bytes(2, "little") + header)

    def write(self, features: bytes) -> None:
        """Append a row: float32, little-endian."""
        self.file.write(features)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is None:
            self.close()
        with suppress(OSError):
            self.file.close()

    def close(self) -> None:
        """Write what is left, down to the disk."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
