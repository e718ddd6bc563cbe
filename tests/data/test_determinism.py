"""Batches are the same, bit for bit, for any number of workers and processes, cached or not, wherever photos lie."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.bucket import serving
from tests.data import matrix
from tests.data.matrix import CASES, DONE_STEPS, EPOCHS, FEW_CASES, GLOBAL_BATCH, RESUMED
from tests.images.source.tables.written import as_arrow, as_parquet
from tests.images.source.test_archive import write_zip
from tests.warm import Warm
from vitcli.__main__ import main

IMAGES = 26
STEPS = -(-IMAGES // GLOBAL_BATCH)


@pytest.fixture
def photos(tmp_path: Path, write_photos: Callable[..., None]) -> Path:
    """The folder of the photos, ``photos/{train,val}/{a,b}/<number>.jpg``."""
    write_photos(*(f"photos/train/{label}/{number}.jpg" for label in "ab" for number in range(IMAGES // 2)))
    write_photos(*(f"photos/val/{label}/0.jpg" for label in "ab"))
    return tmp_path / "photos"


def shown(out: Path, processes: int, *case: Any) -> list[list[str]]:
    """What all processes together were shown at each step."""
    ranks = [json.loads((out / matrix.file_name(processes, rank, *case)).read_text()) for rank in range(processes)]
    return [[picture for part in step for picture in part] for step in zip(*ranks, strict=True)]


def trained(places: Mapping[str, Sequence[Any]], out: Path, programs: Warm) -> None:
    """What each place shows to one process and to two is written."""
    matrix.run(places, out, 1)
    done = programs.run(json.dumps(places), out, 2, script=matrix.__file__)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
def test_workers_processes_and_caches_change_no_bit(photos: Path, tmp_path: Path, programs: Warm) -> None:
    trained({"folder": ("FolderData", str(photos), CASES)}, tmp_path, programs)
    out = tmp_path / "folder"
    plain, cached = shown(out, 1, "none", 0), shown(out, 1, "disk", 0)
    assert len(plain) == EPOCHS * STEPS
    assert all(len({picture for step in plain[start : start + STEPS] for picture in step}) == IMAGES
               for start in (0, STEPS))  # fmt: skip
    assert not {picture for step in plain[:STEPS] for picture in step} & {
        picture for step in plain[STEPS:] for picture in step
    }
    for processes in (1, 2):
        for cache, workers in CASES:
            expected = plain if cache == "none" else cached
            assert shown(out, processes, cache, workers) == expected, (processes, cache, workers)


def lying(photos: Path, root: Path) -> dict[str, tuple[str, str]]:
    """The same photos as a folder, a zip, shards, Parquet, a saved dataset, and in a bucket: layout and root of each.

    Args:
        photos: The folder.
        root: For the others; the folder itself is that of the bucket ``photos``.
    """
    paths = sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.jpg"))
    write_zip(root / "photos.zip", {path: (photos / path).read_bytes() for path in paths})
    assert main(["pack", str(photos), "--out", str(root / "shards"), "--size=15kB"]) == 0
    assert len(list((root / "shards").glob("train-*.tar"))) > 2
    return {
        "folder": ("FolderData", str(photos)),
        "zip": ("FolderData", str(root / "photos.zip")),
        "shards": ("ShardsData", str(root / "shards")),
        "parquet": ("ParquetData", str(as_parquet(photos, root / "tables"))),
        "saved": ("ParquetData", str(as_arrow(photos, root / "saved"))),
        "bucket": ("FolderData", f"s3://{photos.name}"),
    }


@pytest.mark.slow
def test_wherever_the_same_photos_lie_no_bit_is_another_straight_or_resumed(
    photos: Path, tmp_path: Path, programs: Warm, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("s3fs")
    places = lying(photos, tmp_path)
    out = tmp_path / "shown"
    out.mkdir()
    with serving(tmp_path) as bucket:
        for name, value in (bucket.environment() | {"XDG_CACHE_HOME": str(tmp_path / "cache")}).items():
            monkeypatch.setenv(name, value)
        trained({name: (*place, FEW_CASES + RESUMED) for name, place in places.items()}, out, programs)
        assert bucket.objects
    plain = shown(out / "folder", 1, "none", 0)
    assert len({picture for step in plain for picture in step}) == EPOCHS * IMAGES
    resumed = (EPOCHS - 1) * STEPS + DONE_STEPS
    for name in places:
        for processes in (1, 2):
            for case in (*FEW_CASES, *RESUMED):
                expected = plain if case in FEW_CASES else plain[resumed:]
                assert shown(out / name, processes, *case) == expected, (name, processes, case)
