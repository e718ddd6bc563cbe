"""Parts of several processes become one table, in the order of the listing, and an earlier table is kept."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from vitcli.table.parts import PartWriter, merge
from vitcli.table.row import Row, read_rows

CLASSES = ("cat", "dog")
CAT = Row("a/cat.1.jpg", "cat", "cat", 0.75, (0.75, 0.25), 640, 480)
DOG = Row('b, "c"\n.jpg', "", "dog", 0.9, (0.1, 0.9), 3, 4)
BAD = Row("broken.jpg", status="error", error="truncated")


def write_part(path: Path, rows: dict[int, Row]) -> Path:
    with PartWriter(path, CLASSES) as part:
        for index, row in rows.items():
            part.write(index, row)
    return path


def test_rows_come_back_as_they_were_written(tmp_path: Path):
    part = write_part(tmp_path / "part", {0: CAT, 1: DOG, 2: BAD})
    merged = merge([part], tmp_path / "table.csv")
    assert (merged.rows, merged.errors, merged.kept) == (3, 1, None)
    assert merged.first_error == "broken.jpg: truncated"
    assert list(read_rows(tmp_path / "table.csv")) == [CAT, DOG, BAD]


def test_parts_of_several_processes_join_in_the_order_of_the_listing(tmp_path: Path):
    parts = [write_part(tmp_path / "p0", {0: CAT, 2: BAD}), write_part(tmp_path / "p1", {1: DOG})]
    merge(parts, tmp_path / "table.csv")
    assert [row.path for row in read_rows(tmp_path / "table.csv")] == [CAT.path, DOG.path, BAD.path]
    assert not any(part.exists() for part in parts)


@pytest.mark.parametrize("indices", [(0, 0), (0, 2), (1, 2)])
def test_an_image_written_twice_or_not_at_all_is_a_fault(tmp_path: Path, indices: tuple[int, int]):
    first, second = indices
    parts = [write_part(tmp_path / "p0", {first: CAT}), write_part(tmp_path / "p1", {second: DOG})]
    with pytest.raises(RuntimeError, match="image"):
        merge(parts, tmp_path / "table.csv")
    assert not (tmp_path / "table.csv").exists()


def test_a_name_that_is_not_utf8_is_written_with_backslashes(tmp_path: Path):
    name = b"caf\xe9.jpg".decode("utf-8", "surrogateescape")
    merge([write_part(tmp_path / "part", {0: Row(name, status="error", error="x")})], tmp_path / "table.csv")
    assert next(read_rows(tmp_path / "table.csv")).path == "caf\\udce9.jpg"


def test_an_earlier_table_is_kept_unless_it_says_the_same(tmp_path: Path):
    table = tmp_path / "table.csv"
    for row, kept in ((CAT, None), (CAT, None), (DOG, tmp_path / "table-1.csv"), (BAD, tmp_path / "table-2.csv")):
        assert merge([write_part(tmp_path / "part", {0: row})], table).kept == kept
    assert next(read_rows(tmp_path / "table-1.csv")) == CAT
    assert next(read_rows(table)) == BAD


NASTY = (
    *(
        "=1+1.jpg",
        "+1",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "'=1",
        "''=1",
        "'",
        "''",
        "'quoted'.jpg",
        "'a",
        "a'=1",
    ),
    *("a=1", "a\rb", "a\r\nb", '"=1"', '=HYPERLINK("http://evil","x")', " =1", "a,b;c"),
)


@pytest.mark.parametrize("escape", [False, True])
def test_any_name_comes_back_whether_formulas_are_escaped_or_not(tmp_path: Path, escape: bool):
    rows = {
        index: Row(name, label=name, predicted=name, confidence=0.5, probabilities=(0.5, 0.5), error=name)
        for index, name in enumerate(NASTY)
    }
    with PartWriter(tmp_path / "part", ("=cat", "-dog"), escape_formulas=escape) as part:
        for index, row in rows.items():
            part.write(index, row)
    merge([tmp_path / "part"], tmp_path / "table.csv")
    assert list(read_rows(tmp_path / "table.csv")) == list(rows.values())


def test_no_cell_of_an_escaped_table_is_a_formula(tmp_path: Path):
    with PartWriter(tmp_path / "part", CLASSES, escape_formulas=True) as part:
        for index, name in enumerate(NASTY):
            part.write(index, Row(name, status="error", error=name))
    merged = merge([tmp_path / "part"], tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r\n"))]
    assert "'=1+1.jpg" in cells
    assert "'quoted'.jpg" in cells
    assert merged.first_error.startswith("=1+1.jpg: ")


def test_a_table_that_is_not_escaped_holds_names_as_they_are(tmp_path: Path):
    merge([write_part(tmp_path / "part", {0: Row("=1.jpg", error="-x"), 1: Row("'a.jpg")})], tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="") as file:
        assert [(row["path"], row["error"]) for row in csv.DictReader(file)] == [("=1.jpg", "-x"), ("'a.jpg", "")]
