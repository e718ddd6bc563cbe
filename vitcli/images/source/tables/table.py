"""Table: one Parquet or Arrow file (stream or file format), of which a column is read array by array."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, final

from vitcli.errors import DataError
from vitcli.images.source.entries import Entry
from vitcli.images.source.ranges import Ranges
from vitcli.images.source.tables.file import RangesFile
from vitcli.names import extension
from vitcli.table.read import check_rows

ENDINGS = (".parquet", ".arrow")
# rows of images that are in memory at once, and of other columns
FEW, MANY = 64, 65_536
BUFFER_BYTES = 2**20
ARROW_MAGIC = b"ARROW1"


@final
class Table:
    """A file of rows.

    Args:
        ranges: Where it lies.
        entry: Its name there, its size and its version.

    Raises:
        DataError: It is cut off, damaged, or of another format.
    """

    def __init__(self, ranges: Ranges, entry: Entry) -> None:
        self.ranges = ranges
        self.entry = entry
        self.name = entry.path
        self.is_arrow = extension(entry.path) == ".arrow"
        with self._read():
            if self.is_arrow:
                self.schema: Any = self._arrow().schema
                self.metadata: Any = None
            else:
                opened = self._parquet()
                self.schema, self.metadata = opened.schema_arrow, opened.metadata
                check_rows(self.metadata.num_rows, entry.size)

    def __getstate__(self) -> dict[str, object]:
        # a copy of a mapped file would be all of its bytes
        return {name: value for name, value in self.__dict__.items() if name != "mapped"}

    @property
    def where(self) -> str:
        """The file, for a message."""
        return self.ranges.where(self.name)

    def column(self, name: str, child: str | None = None, group: int | None = None) -> Iterator[Any]:
        """A column as pyarrow's arrays, one after another.

        Args:
            name: Of the column.
            child: A field of it, where it is a struct; a row without a struct has none.
            group: One row group of a Parquet file; None: all.

        Raises:
            DataError: The file is cut off or damaged.
        """
        with self._read():
            yield from self._in_arrow(name, child) if self.is_arrow else self._in_parquet(name, child, group)

    def _in_parquet(self, name: str, child: str | None, group: int | None) -> Iterator[Any]:
        groups = None if group is None else [group]
        path = name if child is None else f"{name}.{child}"
        few = FEW if self._is_binary(name, child) else MANY
        for batch in self._parquet().iter_batches(batch_size=few, row_groups=groups, columns=[path]):
            # a field that is read alone is its struct's only one
            yield batch.column(0) if child is None else batch.column(0).flatten()[0]

    def _in_arrow(self, name: str, child: str | None) -> Iterator[Any]:
        place = self.schema.get_field_index(name)
        opened = self._arrow()
        # the file format has its batches by number, a stream one after another
        count = getattr(opened, "num_record_batches", None)
        for batch in opened if count is None else map(opened.get_batch, range(count)):
            array = batch.column(place)
            yield array if child is None else array.flatten()[array.type.get_field_index(child)]

    def _is_binary(self, name: str, child: str | None) -> bool:
        from pyarrow import types

        kind = self.schema.field(name).type
        return bool(child == "bytes" or types.is_binary(kind) or types.is_large_binary(kind))

    def _parquet(self) -> Any:
        from pyarrow import parquet

        # buffered, or a row group of hundreds of MB would be in memory as a whole
        return parquet.ParquetFile(self._file(), buffer_size=BUFFER_BYTES, pre_buffer=False)

    def _arrow(self) -> Any:
        from pyarrow import ipc

        length = min(self.entry.size, len(ARROW_MAGIC))
        is_file = self.ranges.read(self.name, 0, length) == ARROW_MAGIC
        return ipc.open_file(self._file()) if is_file else ipc.open_stream(self._file())

    def _file(self) -> Any:
        """The file as pyarrow reads it."""
        from pyarrow import BufferReader, OSFile, PythonFile

        if not self.is_local:
            return PythonFile(RangesFile(self.ranges, self.name, self.entry.size), "r")
        return BufferReader(self.mapped) if self.is_arrow else OSFile(self.where)

    @property
    def is_local(self) -> bool:
        """Whether it lies on a disk of this machine."""
        return self.ranges.folder() is not None

    @cached_property
    def mapped(self) -> Any:
        """All bytes of a file on a disk, mapped: an array of an Arrow file is a part of them; the rest is not read."""
        from pyarrow import memory_map

        with memory_map(self.where) as opened:
            return opened.read_buffer()

    @contextmanager
    def _read(self) -> Iterator[None]:
        """What pyarrow raises of a file, as one line."""
        from pyarrow import ArrowException

        try:
            yield
        except (ArrowException, OSError, EOFError, ValueError) as error:
            reason = " ".join(str(error).split())[:160] or type(error).__name__
            kind = "Arrow" if self.is_arrow else "Parquet"
            raise DataError(
                f"data.root {self.where}: cannot be read as {kind} ({reason}); download or write it again"
            ) from error
