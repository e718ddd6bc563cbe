"""Tables from elsewhere: rows of CSV, TSV, JSON lines, Parquet, or a text file of paths, by column name."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

from vitcli.errors import DataError
from vitcli.names import extension

Record = dict[str, Any]
TABLES = (".csv", ".tsv", ".jsonl", ".parquet")


def read_table(file: str, key: str) -> Iterator[Record]:
    """The rows of a table by the names of their columns.

    Args:
        file: The table.
        key: The setting that names it, for messages, such as data.root.

    Raises:
        DataError: There is no such file, or it is no such table.
    """
    readers: dict[str, Callable[[str], Iterator[Record]]] = {
        ".csv": lambda file: _csv(file, ","), ".tsv": lambda file: _csv(file, "\t"), ".jsonl": _json_lines,
        ".parquet": _parquet, ".txt": _paths,
    }  # fmt: skip
    reader = readers.get(extension(file))
    if reader is None:
        raise DataError(f"{key} {file}: is no table by its extension; {', '.join(readers)} are read")
    if not os.path.isfile(file):
        raise DataError(f"{key} {file}: no such file; check the path (now in {os.getcwd()})")
    try:
        yield from reader(file)
    except (OSError, ValueError, UnicodeDecodeError, csv.Error) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{key} {file}: cannot be read as {extension(file)} ({reason}); correct it") from error


def _csv(file: str, delimiter: str) -> Iterator[Record]:
    with open(file, encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
        yield from csv.DictReader(lines, delimiter=delimiter)


def _json_lines(file: str) -> Iterator[Record]:
    with open(file, encoding="utf-8-sig", errors="surrogateescape", newline="\n") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError(f"line {number} is no object")
                yield row


def _parquet(file: str) -> Iterator[Record]:
    from pyarrow import ArrowException, parquet

    try:
        for batch in parquet.ParquetFile(file).iter_batches():
            yield from batch.to_pylist()
    except ArrowException as error:
        raise ValueError(str(error)) from error


def _paths(file: str) -> Iterator[Record]:
    # a carriage return inside a line belongs to a name
    with open(file, encoding="utf-8-sig", errors="surrogateescape", newline="\n") as lines:
        for line in lines:
            if path := line.strip():
                yield {"path": path, "label": os.path.basename(os.path.dirname(path))}
