"""Journals of several processes and starts become one table in the order of the listing, and an earlier one is kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitcli.table.columns import Columns
from vitcli.table.features import features_of
from vitcli.table.join import Joined, join
from vitcli.table.journal import Entry, Journal
from vitcli.table.kept import Kept
from vitcli.table.row import Row
from vitcli.table.rows import read_rows

COLUMNS = Columns(("cat", "dog"))
CAT = Row("a/cat.1.jpg", "cat", "cat", 0.75, (0.75, 0.25), 640, 480)
DOG = Row('b, "c"\n.jpg', "", "dog", 0.9, (0.1, 0.9), 3, 4)
BAD = Row("broken.jpg", status="error", error="truncated")


def journal(folder: Path, name: str, *batches: dict[int, Row], features: int = 0) -> Path:
    with Journal(folder / f"{name}.rows", {}, {"features": features} if features else {}) as writer:
        for rows in batches:
            found = [Entry(position, row.status == "ok", COLUMNS.values(row)) for position, row in rows.items()]
            numbers = np.repeat(np.array(list(rows), dtype="<f4"), features)
            writer.append(found, {"features": numbers.tobytes()} if features else {})
    return folder / f"{name}.rows"


def joined(folder: Path, table: Path, count: int, *journals: Path, features: int = 0) -> Joined:
    kept = Kept(count, {"features": features} if features else {})
    for one in journals:
        assert kept.add(one) == []
    return join(kept, table, COLUMNS.names, folder)


def test_journals_of_several_processes_and_starts_join_in_the_order_of_the_listing(tmp_path: Path):
    journals = [
        journal(tmp_path, "1-0", {2: BAD}, {4: CAT}),
        journal(tmp_path, "1-1", {1: DOG}),
        journal(tmp_path, "2-0", {3: DOG, 0: CAT}),
    ]
    assert joined(tmp_path, tmp_path / "table.csv", 5, *journals) == Joined(5, 1, None, "broken.jpg: truncated")
    assert list(read_rows(tmp_path / "table.csv")) == [CAT, DOG, BAD, DOG, CAT]


def test_a_second_row_of_an_image_is_told_and_passed_over(tmp_path: Path):
    kept = Kept(2, {})
    assert kept.add(journal(tmp_path, "1-0", {0: CAT})) == []
    assert kept.add(journal(tmp_path, "2-0", {1: BAD, 0: DOG})) == [0]
    assert (kept.rows, kept.done(), kept.seen()) == (2, b"\1\1", b"\1\0")


def test_rows_find_their_images_in_another_listing(tmp_path: Path):
    kept = Kept(3, {})
    kept.add(journal(tmp_path, "1-0", {0: CAT, 1: BAD, 2: DOG}), places=[2, -1, 0])
    join(kept, tmp_path / "table.jsonl", COLUMNS.names, tmp_path)
    assert list(read_rows(tmp_path / "table.jsonl")) == [DOG, CAT]


def test_an_earlier_table_is_kept_unless_it_says_the_same(tmp_path: Path):
    table = tmp_path / "table.csv"
    for number, (row, kept) in enumerate(
        ((CAT, None), (CAT, None), (DOG, tmp_path / "table-1.csv"), (BAD, tmp_path / "table-2.csv"))
    ):
        assert joined(tmp_path, table, 1, journal(tmp_path, f"{number}-0", {0: row})).kept == kept
    assert next(read_rows(tmp_path / "table-1.csv")) == CAT
    assert next(read_rows(table)) == BAD


def test_features_lie_beside_their_own_table(tmp_path: Path):
    table = tmp_path / "table.csv"
    joined(tmp_path, table, 2, journal(tmp_path, "1-0", {1: DOG}, {0: CAT}, features=3), features=3)
    assert np.load(features_of(table)).tolist() == [[0] * 3, [1] * 3]
    joined(tmp_path, table, 1, journal(tmp_path, "2-0", {0: BAD}))
    assert not features_of(table).exists()
    assert np.load(features_of(tmp_path / "table-1.csv")).tolist() == [[0] * 3, [1] * 3]


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_a_table_appears_when_it_is_whole(tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch):
    table = tmp_path / f"table{ending}"
    kept = Kept(1, {})
    kept.add(journal(tmp_path, "1-0", {0: CAT}))

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("vitcli.table.formats.os.fsync", fail)
        with pytest.raises(OSError, match="No space") as raised:
            join(kept, table, COLUMNS.names, tmp_path)
    assert raised.value.filename == str(table)
    assert not table.exists()
    join(kept, table, COLUMNS.names, tmp_path)
    assert list(read_rows(table)) == [CAT]
