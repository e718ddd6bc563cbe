"""Features beside a table of CSV or JSON lines: NumPy's file format (.npy), a row for each row of the table."""

from __future__ import annotations

from pathlib import Path
from typing import final

from vitcli.table.streamed import StreamedFile

MAGIC = b"\x93NUMPY\x01\x00"
# of the header, with its length, as numpy.lib.format asks for
ALIGNED = 64


def features_of(table: Path) -> Path:
    """Where the features of a table lie, if they are no column of it: ``a.csv`` has ``a.csv.features.npy``."""
    return table.with_name(f"{table.name}.features.npy")


@final
class FeaturesWriter(StreamedFile):
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
        super().__init__(path)
        self.file.write(MAGIC + len(header).to_bytes(2, "little") + header)

    def write(self, features: bytes) -> None:
        """Append a row: float32, little-endian."""
        self.file.write(features)

    def end(self) -> None:
        """Nothing: the header says how many rows there are."""
