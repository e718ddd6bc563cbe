"""Batches are the same, bit for bit, for any number of workers and processes, cached or not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.data import matrix
from tests.data.matrix import CASES, EPOCHS, GLOBAL_BATCH
from tests.images.source.test_archive import write_zip
from tests.warm import Warm
from vitcli.__main__ import main

IMAGES = 26


def shown(out: Path, processes: int, cache: str, workers: int) -> list[list[str]]:
    """What all processes together were shown at each step."""
    ranks = [json.loads((out / f"{processes}-{cache}-{workers}-{rank}.json").read_text()) for rank in range(processes)]
    return [[picture for part in step for picture in part] for step in zip(*ranks, strict=True)]


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

    plain, cached = shown(tmp_path, 1, "none", 0), shown(tmp_path, 1, "disk", 0)
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
            assert shown(tmp_path, processes, cache, workers) == expected, (processes, cache, workers)


@pytest.mark.slow
def test_wherever_the_same_photos_lie_no_bit_is_another(
    tmp_path: Path, write_photos: Callable[..., None], programs: Warm
) -> None:
    paths = [f"{split}/{label}/{number}.jpg" for split, count in (("train", 13), ("val", 1)) for label in "ab"
             for number in range(count)]  # fmt: skip
    write_photos(*(f"photos/{path}" for path in paths))
    write_zip(tmp_path / "photos.zip", {path: (tmp_path / "photos" / path).read_bytes() for path in paths})
    assert main(["pack", str(tmp_path / "photos"), "--out", str(tmp_path / "shards"), "--size=15kB"]) == 0
    assert len(list((tmp_path / "shards").glob("train-*.tar"))) > 2
    found = {}
    for root, layout in (("photos", "FolderData"), ("photos.zip", "FolderData"), ("shards", "ShardsData")):
        out = tmp_path / f"of-{root}"
        out.mkdir()
        for processes in (1, 2):
            done = programs.run(tmp_path / root, out, processes, layout, script=matrix.__file__)
            assert done.returncode == 0, done.stderr[-3000:]
            for cache, workers in matrix.FEW_CASES:
                found[root, processes, workers] = shown(out, processes, cache, workers)
    assert len(found) == 12
    assert len({picture for step in found["photos", 1, 0] for picture in step}) == EPOCHS * IMAGES
    for place, pictures in found.items():
        assert pictures == found["photos", 1, 0], place
