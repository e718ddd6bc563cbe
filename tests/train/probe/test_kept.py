"""Features are kept batch by batch: a killed start loses one batch, and a damaged file is computed again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitcli.train.probe.kept import KEEP, KeptRows

ROWS = np.arange(60, dtype=np.float32).reshape(10, 2, 3)


def take(folder: Path | None, size: int = 4, of: str = "a") -> tuple[KeptRows, np.ndarray, int]:
    kept, rows = KeptRows(folder, of), np.full_like(ROWS, np.nan)
    return kept, rows, kept.take(rows, size)


def write(folder: Path, batches: int = 3, of: str = "a", finished: bool = True) -> None:
    kept, _, begun = take(folder, of=of)
    assert begun == 0
    for start in range(0, 4 * batches, 4):
        kept.add(ROWS[start : start + 4])
    if finished:
        kept.finish()


def test_finished_rows_are_read_back(tmp_path: Path):
    write(tmp_path)
    _, rows, begun = take(tmp_path)
    assert begun == 10
    assert (rows == ROWS).all()
    assert take(tmp_path, of="b")[2] == 0


def test_whole_batches_of_a_killed_start_are_kept(tmp_path: Path):
    write(tmp_path, batches=2, finished=False)
    file = next(tmp_path.iterdir())
    file.write_bytes(file.read_bytes()[:-10])
    kept, rows, begun = take(tmp_path)
    assert begun == 4
    assert (rows[:4] == ROWS[:4]).all()
    for start in (4, 8):
        kept.add(ROWS[start : start + 4])
    kept.finish()
    _, rows, begun = take(tmp_path)
    assert begun == 10
    assert (rows == ROWS).all()


@pytest.mark.parametrize("damage", ["flipped", "longer"])
def test_a_damaged_file_is_computed_again(tmp_path: Path, damage: str):
    write(tmp_path)
    file = next(tmp_path.iterdir())
    content = bytearray(file.read_bytes())
    if damage == "flipped":
        content[5] ^= 1
    else:
        content += b"more"
    file.write_bytes(content)
    assert take(tmp_path)[2] == 0


def test_a_second_process_and_a_folder_that_takes_no_file_go_without(tmp_path: Path):
    first = KeptRows(tmp_path, "a")
    assert first.take(np.full_like(ROWS, np.nan), 4) == 0
    kept, _, begun = take(tmp_path)
    kept.add(ROWS)
    kept.finish()
    assert begun == 0
    first.add(ROWS)
    first.finish()
    assert take(tmp_path)[2] == 10
    (tmp_path / "file").touch()
    for folder in (None, tmp_path / "file" / "below"):
        kept, _, begun = take(folder)
        kept.add(ROWS)
        kept.finish()
        assert begun == 0


def test_only_the_newest_files_stay(tmp_path: Path):
    for number in range(KEEP + 3):
        write(tmp_path, of=str(number))
    assert len(list(tmp_path.iterdir())) == KEEP + 1
