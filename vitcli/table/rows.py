"""Rows of a prediction table in any of its formats, one at a time."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from vitcli.errors import DataError
from vitcli.machine.bounded_json import from_json
from vitcli.table.columns import FEATURES, reader
from vitcli.table.csv_rows import from_cell
from vitcli.table.formats import format_of
from vitcli.table.row import Row


def read_rows(table: Path) -> Iterator[Row]:
    """The rows of a table that PredictionWriter has written, one at a time, without their features.

    Args:
        table: CSV, JSON lines or Parquet, by the ending of its name.

    Raises:
        DataError: It has another ending, or is damaged.
    """
    read = {".csv": _csv, ".jsonl": _json_lines, ".parquet": _parquet}[format_of(table)]
    try:
        yield from read(table)
    except (ValueError, TypeError, csv.Error) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{table}: is no whole table of predictions ({reason}); predict again") from error


def _csv(table: Path) -> Iterator[Row]:
    with table.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        names = next(lines, [])
        read = reader(names)
        for cells in lines:
            yield read([from_cell(name, cell) for name, cell in zip(names, cells, strict=True)])


def _json_lines(table: Path) -> Iterator[Row]:
    with table.open("rb") as file:
        names: list[str] = []
        for line in file:
            told = from_json(line)
            if list(told) != names:
                names = list(told)
                read = reader(names)
            yield read(list(told.values()))


def _parquet(table: Path) -> Iterator[Row]:
    from pyarrow import ArrowException, parquet

    try:
        with parquet.ParquetFile(table) as file:
            names = [name for name in file.schema_arrow.names if name != FEATURES]
            read = reader(names)
            for batch in file.iter_batches(columns=names):
                yield from map(read, zip(*(column.to_pylist() for column in batch.columns), strict=True))
    except ArrowException as error:
        raise ValueError(str(error)) from error
