"""Tables from elsewhere: rows of CSV, TSV, JSON lines, Parquet, or a text file of paths, by column name."""

from __future__ import annotations

import codecs
import csv
import os
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from vitcli.errors import DataError
from vitcli.machine.bounded_json import from_json
from vitcli.machine.short_lines import short_lines
from vitcli.names import extension

Record = dict[str, Any]
TABLES = (".csv", ".tsv", ".jsonl", ".parquet")
# what parts the columns of tables whose ending says otherwise
OTHER_DELIMITERS = (";", "\t", "|", ",")
# numbered names compress to a fraction of a byte
MOST_ROWS_A_BYTE = 64


def read_table(file: str, key: str, shown: str = "") -> Iterator[Record]:
    """The rows of a table by the names of their columns.

    Args:
        file: The table.
        key: The setting that names it, for messages, such as data.root.
        shown: What is named in messages in place of the file; empty for itself.

    Raises:
        DataError: There is no such file, or it is no such table.
    """
    readers: dict[str, Callable[[str], Iterator[Record]]] = {
        ".csv": lambda file: _csv(file, ","), ".tsv": lambda file: _csv(file, "\t"), ".jsonl": _json_lines,
        ".parquet": _parquet, ".txt": _paths,
    }  # fmt: skip
    shown = shown or file
    reader = readers.get(extension(file))
    if reader is None:
        raise DataError(f"{key} {shown}: is no table by its extension; {', '.join(readers)} are read")
    if not os.path.isfile(file):
        raise DataError(f"{key} {shown}: no such file; check the path (now in {os.getcwd()})")
    try:
        yield from reader(file)
    except (OSError, ValueError, UnicodeDecodeError, csv.Error) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{key} {shown}: cannot be read as {extension(file)} ({reason}); correct it") from error


def _csv(file: str, delimiter: str) -> Iterator[Record]:
    with _opened(file, newline="") as lines:
        # strict: a quote that is never closed would make one cell of the rest of the table
        reader = csv.DictReader(short_lines(lines), delimiter=delimiter, strict=True)
        begun = 0
        try:
            _check_heading([name for name in reader.fieldnames or () if name], delimiter)
            begun = reader.line_num
            for row in reader:
                # a comma at the end of each line is no cell
                if any(row.pop(None, ())):
                    raise ValueError(
                        f"line {reader.line_num} has more cells than there are columns; a cell with a {delimiter!r} in "
                        "it needs quotes"
                    )
                yield row
                begun = reader.line_num
        except csv.Error as error:
            raise ValueError(
                f"line {begun + 1}: a quote is opened and not closed, or not before a {delimiter!r}"
            ) from error


def _check_heading(names: list[str], delimiter: str) -> None:
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise ValueError(f"column {twice} stands there twice")
    others = [sign for sign in OTHER_DELIMITERS if sign != delimiter]
    if len(names) == 1 and (other := next((sign for sign in others if sign in names[0]), "")):
        raise ValueError(f"its columns are parted by {other!r}; save it with commas, or as .tsv with tabs")


def _json_lines(file: str) -> Iterator[Record]:
    with _opened(file, newline="\n") as lines:
        for number, line in enumerate(short_lines(lines), 1):
            if line.strip():
                row = from_json(line)
                if not isinstance(row, dict):
                    raise ValueError(f"line {number} is no object")
                yield row


def _parquet(file: str) -> Iterator[Record]:
    from pyarrow import ArrowException, parquet

    try:
        with parquet.ParquetFile(file) as opened:
            check_rows(opened.metadata.num_rows, os.path.getsize(file))
            for batch in opened.iter_batches():
                yield from batch.to_pylist()
    except ArrowException as error:
        raise ValueError(str(error)) from error


def _opened(file: str, newline: str) -> TextIO:
    with open(file, "rb") as start:
        if start.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            raise ValueError("its text is UTF-16; save it as UTF-8")
    # names of files may be any bytes
    return open(file, encoding="utf-8-sig", errors="surrogateescape", newline=newline)


def check_rows(rows: int, size: int) -> None:
    """Check that a Parquet file may have so many rows: each lists another image, and a repeated value takes no bytes.

    Args:
        rows: As its footer says.
        size: Of the file, in bytes.

    Raises:
        ValueError: They are more than the file could tell apart.
    """
    if rows > MOST_ROWS_A_BYTE * size:
        raise ValueError(f"{rows:,} rows in {size:,} bytes")


def _paths(file: str) -> Iterator[Record]:
    # a carriage return inside a line belongs to a name
    with _opened(file, newline="\n") as lines:
        for line in short_lines(lines):
            if path := line.strip():
                yield {"path": path, "label": os.path.basename(os.path.dirname(path))}
