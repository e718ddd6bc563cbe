"""All formats hold the same rows, and reading one back gives the rows that were written, whatever their names."""

from __future__ import annotations

import csv
import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.table.hostile import NASTY, columns, row
from vitcli.errors import DataError
from vitcli.table.columns import Columns, seven, writable
from vitcli.table.features import FeaturesWriter
from vitcli.table.formats import FORMATS, open_table
from vitcli.table.row import Row
from vitcli.table.rows import read_rows


def write(table: Path, columns: Columns, rows: list[Row], *, escape: bool = False) -> Path:
    with open_table(table, columns.names, ending=table.suffix, escape_formulas=escape) as writer:
        for one in rows:
            writer.write(columns.values(one))
    return table


def as_held(row: Row) -> Row:
    """What a table can hold of a row: seven digits, and backslashes for what is not UTF-8."""
    texts = {field: writable(getattr(row, field)) for field in ("path", "label", "predicted", "error")}
    shares = {field: seven(getattr(row, field)) for field in ("confidence", "label_probability")}
    top = tuple((writable(name), float(f"{share:.7g}")) for name, share in row.top)
    probabilities = tuple(float(f"{share:.7g}") for share in row.probabilities)
    return replace(row, **texts, **shares, top=top, probabilities=probabilities)


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("top", [0, 2])
def test_any_rows_come_back_as_they_were_written(tmp_path: Path, ending: str, top: int):
    for seed in range(60):
        rng = random.Random(seed)
        under = columns(rng, top)
        rows = [row(rng, under) for _ in range(rng.randrange(12))]
        table = write(tmp_path / f"{seed}{ending}", under, rows, escape=seed % 2 == 1 and ending == ".csv")
        assert list(read_rows(table)) == [as_held(one) for one in rows], seed


@pytest.mark.parametrize("escape", [False, True])
def test_csv_gives_back_any_name_whether_formulas_are_escaped_or_not(tmp_path: Path, escape: bool):
    rows = [Row(name, name, name, 0.5, (0.5, 0.5), error=name) for name in NASTY]
    table = write(tmp_path / "table.csv", Columns(("=cat", "-dog\r")), rows, escape=escape)
    assert list(read_rows(table)) == [as_held(one) for one in rows]


def test_no_cell_of_an_escaped_table_is_a_formula(tmp_path: Path):
    rows = [Row(name, status="error", error=name) for name in NASTY]
    table = write(tmp_path / "table.csv", Columns(("cat", "dog")), rows, escape=True)
    with table.open(newline="", encoding="utf-8") as file:
        cells = [cell for line in csv.reader(file) for cell in line]
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r\n"))]
    assert {"'=1+1.jpg", "'quoted'.jpg"} <= set(cells)


def test_a_table_that_is_not_escaped_holds_names_as_they_are(tmp_path: Path):
    rows = [Row("=1.jpg", error="-x"), Row("'a.jpg")]
    table = write(tmp_path / "table.csv", Columns(("cat", "dog")), rows)
    with table.open(newline="") as file:
        assert [(line["path"], line["error"]) for line in csv.DictReader(file)] == [("=1.jpg", "-x"), ("'a.jpg", "")]


def test_other_programs_read_the_same(tmp_path: Path):
    from pyarrow import parquet

    rows = [Row("a\rb.png", "cat", "dog", 0.75, (0.25, 0.75), 4, 3), Row("caf\udce9", status="error", error="empty")]
    names = Columns(("cat", "dog")).names
    lines = write(tmp_path / "table.jsonl", Columns(("cat", "dog")), rows).read_text().splitlines()
    told = [json.loads(line) for line in lines]
    assert [list(one) for one in told] == [names, names]
    assert told[1]["path"] == "caf\\udce9"
    table = parquet.read_table(write(tmp_path / "table.parquet", Columns(("cat", "dog")), rows))
    assert table.to_pylist() == told
    assert table.schema.field("prob_cat").type == "double"
    with write(tmp_path / "table.csv", Columns(("cat", "dog")), rows).open(newline="") as file:
        assert [line["path"] for line in csv.DictReader(file)] == ["a\rb.png", "caf\\udce9"]


def test_features_are_lists_of_one_length_in_parquet_and_npy_beside_the_others(tmp_path: Path):
    from pyarrow import parquet

    numbers = np.random.default_rng(0).standard_normal((7, 5)).astype(np.float32)
    numbers[2] = np.nan
    under = Columns(("cat", "dog"))
    with open_table(tmp_path / "table.parquet", under.names, ending=".parquet", width=5) as writer:
        for number in numbers:
            writer.write(under.values(Row("a")), number.tobytes())
    table = parquet.read_table(tmp_path / "table.parquet")
    assert str(table.schema.field("features").type).startswith("fixed_size_list<element: float>[5]")
    assert np.array_equal(np.stack(table["features"].to_numpy()), numbers, equal_nan=True)
    assert [one.path for one in read_rows(tmp_path / "table.parquet")] == ["a"] * 7
    for width in (1, 5, 768):
        numbers = np.random.default_rng(0).standard_normal((7, width)).astype(np.float32)
        with FeaturesWriter(tmp_path / "a.npy", 7, width) as beside:
            for number in numbers:
                beside.write(number.tobytes())
        assert np.array_equal(np.load(tmp_path / "a.npy", mmap_mode="r"), numbers)


def test_a_table_of_many_row_groups_is_read_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vitcli.table.formats.GROUP", 50)
    rows = [Row(f"{number}", "cat", "cat", 0.5, (0.5, 0.5), number, 1) for number in range(101)]
    assert list(read_rows(write(tmp_path / "table.parquet", Columns(("cat", "dog")), rows))) == rows


@pytest.mark.parametrize("ending", FORMATS)
def test_a_damaged_table_is_one_line(tmp_path: Path, ending: str):
    table = write(tmp_path / f"table{ending}", Columns(("cat", "dog")), [Row("a", "b", "c", 0.5, (0.5, 0.5), 3, 4)] * 3)
    table.write_bytes(table.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"is no whole table of predictions"):
        list(read_rows(table))
    with pytest.raises(DataError, match=r"tables end in .csv, .jsonl or .parquet"):
        list(read_rows(tmp_path / "table.xls"))
