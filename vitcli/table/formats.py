"""Formats of a prediction table: CSV, JSON lines and Parquet, which hold the same rows; each is written as a stream."""

from __future__ import annotations

import io
import json
import os
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import final

from vitcli.errors import DataError
from vitcli.names import extension
from vitcli.table.columns import FEATURES, Value, kind
from vitcli.table.csv_rows import RowWriter, to_cell
from vitcli.table.streamed import StreamedFile

FORMATS = (".csv", ".jsonl", ".parquet")
# values that are kept until they are a row group of Parquet
GROUP = 250_000


class TableWriter(StreamedFile):
    """A table in a file, row by row; memory does not grow with it.

    Args:
        path: The file.
        names: The header.
    """

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        super().__init__(path)
        self.names = list(names)

    @abstractmethod
    def write(self, values: Sequence[Value], features: bytes = b"") -> None:
        """Append a row.

        Args:
            values: One for each name.
            features: float32, little-endian; for a format that has a column of them.
        """


@final
class CsvTable(TableWriter):
    """A table as CSV, in UTF-8, each line ended by a line feed.

    Args:
        path: The file.
        names: The header.
        escape_formulas: Whether a spreadsheet shall find no formula in the cells.
    """

    def __init__(self, path: Path, names: Sequence[str], *, escape_formulas: bool = False) -> None:
        super().__init__(path, names)
        self._escape_formulas = escape_formulas
        self._text = io.TextIOWrapper(self.file, encoding="utf-8", newline="")
        self._rows = RowWriter(self._text)
        self._rows.write(self.names)

    def write(self, values: Sequence[Value], features: bytes = b"") -> None:
        """Append a row."""
        self._rows.write([to_cell(value, escape_formulas=self._escape_formulas) for value in values])

    def end(self) -> None:
        """Encode what is still text."""
        self._text.flush()


@final
class JsonLinesTable(TableWriter):
    """A table as JSON lines (jsonlines.org): an object a row, with all columns; null where nothing is known."""

    def write(self, values: Sequence[Value], features: bytes = b"") -> None:
        """Append a row."""
        told = dict(zip(self.names, values, strict=True))
        self.file.write(json.dumps(told, ensure_ascii=False, allow_nan=False).encode("utf-8") + b"\n")

    def end(self) -> None:
        """Nothing: a row is whole by itself."""


@final
class ParquetTable(TableWriter):
    """A table as Parquet: texts, shares as float64, counts as int32, and features as lists of float32 of one length.

    Args:
        path: The file.
        names: The header.
        width: How many features a row has; 0: the table has no such column.
    """

    def __init__(self, path: Path, names: Sequence[str], width: int = 0) -> None:
        import pyarrow as arrow
        from pyarrow import parquet

        super().__init__(path, names)
        self._arrow = arrow
        self._width = width
        types = {"text": arrow.string(), "share": arrow.float64(), "count": arrow.int32()}
        fields = [arrow.field(name, types[kind(name)]) for name in self.names]
        if width:
            fields.append(arrow.field(FEATURES, arrow.list_(arrow.float32(), width)))
        self._schema = arrow.schema(fields)
        self._parquet = parquet.ParquetWriter(self.file, self._schema, compression="zstd")
        self._most = max(1, GROUP // (len(names) + width))
        self._rows: list[Sequence[Value]] = []
        self._features: list[bytes] = []

    def write(self, values: Sequence[Value], features: bytes = b"") -> None:
        """Append a row."""
        self._rows.append(values)
        self._features.append(features)
        if len(self._rows) == self._most:
            self._write_group()

    def end(self) -> None:
        """Write the last row group and the footer."""
        if self._rows:
            self._write_group()
        with self._once():
            self._parquet.close()

    @contextmanager
    def _once(self) -> Iterator[None]:
        """After an error there is no other try to write, which would fail while the writer is destroyed."""
        try:
            yield
        except OSError:
            self._parquet.is_open = False
            raise

    def _write_group(self) -> None:
        arrow = self._arrow
        columns = zip(*self._rows, strict=True)
        arrays = [arrow.array(column, field.type) for column, field in zip(columns, self._schema, strict=False)]
        if self._width:
            buffer = arrow.py_buffer(b"".join(self._features))
            numbers = arrow.Array.from_buffers(arrow.float32(), len(self._rows) * self._width, [None, buffer])
            arrays.append(arrow.FixedSizeListArray.from_arrays(numbers, self._width))
        with self._once():
            self._parquet.write_table(arrow.Table.from_arrays(arrays, schema=self._schema))
        self._rows, self._features = [], []


def open_table(
    path: Path, names: Sequence[str], *, ending: str, escape_formulas: bool = False, width: int = 0
) -> TableWriter:
    """A table to be written.

    Args:
        path: The file, whatever its name.
        names: The header.
        ending: The format, of FORMATS.
        escape_formulas: Whether a spreadsheet shall find no formula in the cells of CSV.
        width: How many features a row of Parquet has.
    """
    if ending == ".parquet":
        return ParquetTable(path, names, width)
    if ending == ".jsonl":
        return JsonLinesTable(path, names)
    return CsvTable(path, names, escape_formulas=escape_formulas)


def format_of(table: str | os.PathLike[str], key: str = "") -> str:
    """The format of a table by its name, of FORMATS.

    Args:
        table: Its path.
        key: The setting that names it, for the message.

    Raises:
        DataError: It ends in none of them.
    """
    ending = extension(os.fspath(table))
    if ending not in FORMATS:
        *first, last = FORMATS
        raise DataError(f"{key} {table}".strip() + f": tables end in {', '.join(first)} or {last}; name such a file")
    return ending
