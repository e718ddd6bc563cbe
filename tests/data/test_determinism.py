"""Batches are the same, bit for bit, for any number of workers and processes, cached or not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.data import matrix
from tests.data.matrix import CASES, EPOCHS, GLOBAL_BATCH
from tests.warm import Warm

IMAGES = 26


@pytest.mark.slow
def test_workers_processes_and_caches_change_no_bit(
    tmp_path: Path, write_photos: Callable[..., None], programs: Warm
) -> None:
    count = IMAGES // 2
    write_photos(*(f"photos/train/{label}/{number}.jpg" for label in "ab" for number in range(count)))
    write_photos(*(f"photos/val/{label}/0.jpg" for label in "ab"))
    matrix.run(str(tmp_path / "photos"), tmp_path, 1)
    done = programs.run(tmp_path / "photos", tmp_path, 2, script=matrix.__file__)
    assert done.returncode == 0, done.stderr[-3000:]

    def shown(processes: int, cache: str, workers: int) -> list[list[str]]:
        ranks = [
            json.loads((tmp_path / f"{processes}-{cache}-{workers}-{rank}.json").read_text())
            for rank in range(processes)
        ]
        return [[picture for part in step for picture in part] for step in zip(*ranks, strict=True)]

    plain, cached = shown(1, "none", 0), shown(1, "disk", 0)
    steps = -(-IMAGES // GLOBAL_BATCH)
    assert len(plain) == EPOCHS * steps
    assert all(len({picture for step in plain[start : start + steps] for picture in step}) == IMAGES
               for start in (0, steps))  # fmt: skip
    assert not {picture for step in plain[:steps] for picture in step} & {
        picture for step in plain[steps:] for picture in step
    }
    for processes in (1, 2):
        for cache, workers in CASES:
            expected = plain if cache == "none" else cached
            assert shown(processes, cache, workers) == expected, (processes, cache, workers)
