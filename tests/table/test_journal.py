"""A journal that was cut off anywhere, or damaged, is read up to its last whole batch."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from vitcli.table.journal import Entry, Journal, beside, read_batches, read_header

BATCHES = [[Entry(0, True, ["a\rb", None, 0.5]), Entry(3, False, ["\n[1]", "x", None])], [Entry(1, True, ["c", "", 1])]]
NUMBERS = [np.arange(2, dtype="<f4").tobytes(), np.arange(1, dtype="<f4").tobytes()]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    with Journal(tmp_path / "1-0.rows", {"listing": "abc"}, {"features": 1}) as writer:
        for batch, numbers in zip(BATCHES, NUMBERS, strict=True):
            writer.append(batch, {"features": numbers})
    return tmp_path / "1-0.rows"


def positions(journal: Path) -> list[list[int]]:
    return [[place.position for place in batch] for batch in read_batches(journal, {"features": 1})]


def test_it_tells_where_each_row_lies(journal: Path):
    assert read_header(journal) == {"listing": "abc"}
    (first, second), (third,) = read_batches(journal, {"features": 1})
    assert [(place.position, place.seen, place.number) for place in (first, second, third)] == [
        *((0, True, 0), (3, False, 1), (1, True, 2))
    ]
    content = journal.read_bytes()
    assert content[third.offset :].startswith(b'[1, true, "c", "", 1]\n')


def test_cut_off_at_any_byte_it_holds_the_batches_before(journal: Path):
    content = journal.read_bytes()
    ends = [len(b"".join(content.splitlines(keepends=True)[:count])) for count in (4, 6)]
    for length in range(len(content)):
        journal.write_bytes(content[:length])
        assert positions(journal) == [[0, 3]] * (length >= ends[0])
    journal.write_bytes(content)
    assert positions(journal) == [[0, 3], [1]]


@pytest.mark.parametrize("ending", ["rows", "features"])
def test_damaged_at_any_byte_no_damaged_row_is_read(journal: Path, ending: str):
    file = beside(journal, ending)
    content = file.read_bytes()
    for place in range(len(b'{"listing": "abc"}\n') if ending == "rows" else 0, len(content)):
        file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert positions(journal) in ([], [[0, 3]])


def test_numbers_that_were_not_written_to_the_end_take_their_batch_with_them(journal: Path):
    os.truncate(beside(journal, "features"), 10)
    assert positions(journal) == [[0, 3]]


def test_it_never_takes_the_place_of_another(journal: Path):
    with pytest.raises(FileExistsError):
        Journal(journal, {}, {})
