"""Columns of a table: the named columns of a CSV, TSV, JSON lines or Parquet file, words as strings, numbers as arrays.

pyarrow reads CSV and Parquet some ten times as fast as rows of Python, and is imported when a table is opened.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from vitcli.errors import DataError
from vitcli.machine.arrow import filled
from vitcli.machine.bounded_json import from_json
from vitcli.machine.short_lines import short_lines
from vitcli.names import extension
from vitcli.table.read import check_rows

Kind = Literal["words", "numbers"]
Choice = Callable[[Sequence[str]], Mapping[str, Kind]]
DELIMITERS = {".csv": ",", ".tsv": "\t"}
READ = (*DELIMITERS, ".jsonl", ".parquet")
# what is easily taken for what it has answered
NETS = (".ckpt", ".safetensors", ".pt", ".pth", ".onnx", ".pt2")
# rows of JSON lines that are Python objects at a time
CHUNK = 10_000
# pyarrow of a cell, with the number of its column
NO_NUMBER = re.compile(r"In CSV column #(\d+): CSV conversion error to double: invalid value (.*)")


@final
@dataclass(frozen=True, slots=True)
class Loaded:
    """Columns of a table, an entry a row.

    Args:
        names: All columns of the table, also those that were not read.
        words: Strings of each column read as words; empty where the table has nothing.
        numbers: Float64 (rows,) of each column read as numbers; NaN where the table has nothing.
    """

    names: tuple[str, ...]
    words: dict[str, list[str]] = field(default_factory=dict)
    numbers: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def __len__(self) -> int:
        return max([0, *map(len, self.words.values()), *map(len, self.numbers.values())])


def load_columns(file: Path, choose: Choice) -> Loaded:
    """The columns of a table that are wanted.

    Args:
        file: The table; its ending says what it is.
        choose: Given all names, says which columns are wanted, and as what.

    Raises:
        DataError: There is no such file, or it is no such table, or it is cut off.
    """
    ending = extension(file.name)
    if ending in NETS:
        raise DataError(
            f"{file}: is no table, but a net; name its run's folder, or a table that vitcli test or predict has written"
        )
    if ending not in READ:
        raise DataError(f"{file}: is no table by its extension; {', '.join(READ)} are read")
    if not file.is_file():
        raise DataError(f"{file}: no such file; check the path (now in {Path.cwd()})")
    if not file.stat().st_size:
        raise DataError(f"{file}: is empty; name a table with a row for each image")
    read = {".jsonl": _json_lines, ".parquet": _parquet}.get(ending, _csv)
    try:
        return read(file, choose)
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: is not UTF-8 ({error.reason}); save it as UTF-8") from error
    except (OSError, ValueError, NotImplementedError, csv.Error) as error:
        # errors of pyarrow are of these kinds; the last but one is a column of lists that ought to be of numbers
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{file}: cannot be read as {ending}, or is cut off ({reason}); write it again") from error


def _wanted(names: Sequence[str], choose: Choice) -> Mapping[str, Kind]:
    wanted = choose(names)
    twice = [name for name in wanted if list(names).count(name) > 1]
    if twice:
        raise ValueError(f"column {twice[0]} stands there twice")
    return wanted


def _csv(file: Path, choose: Choice) -> Loaded:
    from pyarrow import csv as arrow
    from pyarrow import float64, string

    delimiter = DELIMITERS[extension(file.name)]
    with file.open(encoding="utf-8-sig", newline="") as lines:
        names = next(csv.reader(short_lines(lines), delimiter=delimiter), [])
    wanted = _wanted(names, choose)
    converted = arrow.ConvertOptions(
        include_columns=list(wanted),
        column_types={name: float64() if kind == "numbers" else string() for name, kind in wanted.items()},
        null_values=[""],
        strings_can_be_null=False,
    )
    try:
        table = arrow.read_csv(
            file,
            # a row must fit into a block, and a row of a thousand classes is some 10 kB
            read_options=arrow.ReadOptions(block_size=1 << 24, column_names=names, skip_rows_after_names=1),
            parse_options=arrow.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=converted,
        )
    except ValueError as error:
        if (found := NO_NUMBER.search(str(error))) is None:
            raise
        raise DataError(
            f"{file}: column {names[int(found[1])]} holds {found[2]}, which is no number; correct it"
        ) from error
    return _from_arrow(names, wanted, table)


def _parquet(file: Path, choose: Choice) -> Loaded:
    from pyarrow.parquet import ParquetFile

    with ParquetFile(file) as opened:
        check_rows(opened.metadata.num_rows, file.stat().st_size)
        names = opened.schema_arrow.names
        wanted = _wanted(names, choose)
        return _from_arrow(names, wanted, opened.read(columns=list(wanted)))


def _from_arrow(names: Sequence[str], wanted: Mapping[str, Kind], table: Any) -> Loaded:
    from pyarrow import string

    loaded = Loaded(tuple(names))
    for name, kind in wanted.items():
        column = table.column(name)
        if kind == "numbers":
            loaded.numbers[name] = filled(column, np.float64(np.nan))
        else:
            loaded.words[name] = [word or "" for word in column.cast(string()).to_pylist()]
    return loaded


def _json_lines(file: Path, choose: Choice) -> Loaded:
    with file.open(encoding="utf-8-sig", newline="\n") as lines:
        wanted: dict[str, Kind] = {}
        names: dict[str, None] = {}
        chunks: dict[str, list[Any]] = {}
        held: list[dict[str, Any]] = []
        kept = 0
        for number, line in enumerate(short_lines(lines), 1):
            if not line.strip():
                continue
            try:
                row = from_json(line)
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from error
            if not isinstance(row, dict):
                raise ValueError(f"line {number} is no object")
            held.append(row)
            if len(held) == CHUNK:
                _keep(held, kept, names, wanted, chunks, choose)
                kept, held = kept + len(held), []
        if held:
            _keep(held, kept, names, wanted, chunks, choose)
    loaded = Loaded(tuple(names))
    for name, kind in wanted.items():
        if kind == "numbers":
            loaded.numbers[name] = np.concatenate(chunks[name])
        else:
            loaded.words[name] = chunks[name]
    return loaded


def _keep(
    rows: list[dict[str, Any]],
    kept: int,
    names: dict[str, None],
    wanted: dict[str, Kind],
    chunks: dict[str, list[Any]],
    choose: Choice,
) -> None:
    """Put rows behind those that are kept already; a row need not have all columns, not even the first one."""
    new = {name: None for row in rows for name in row if name not in names}
    if new:
        names |= new
        wanted |= choose(tuple(names))
        for name in wanted.keys() - chunks.keys():
            chunks[name] = [""] * kept if wanted[name] == "words" else [np.full(kept, np.nan)]
    for name, kind in wanted.items():
        cells = [row.get(name) for row in rows]
        if (nested := next((cell for cell in cells if isinstance(cell, list | dict)), None)) is not None:
            raise ValueError(f"column {name} holds {str(nested)[:40]}, and not a word or a number")
        if kind == "words":
            chunks[name] += [cell if isinstance(cell, str) else "" if cell is None else str(cell) for cell in cells]
            continue
        numbers = [float("nan") if cell is None or cell == "" else cell for cell in cells]
        try:
            chunks[name].append(np.array(numbers, dtype=np.float64))
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"column {name}: {error}") from error
