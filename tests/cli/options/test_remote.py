"""What is said of reading from a store acts on every verb that looks at images."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bucket import Bucket, serving
from tests.conftest import CPU, TINY
from vitcli.__main__ import main

pytest.importorskip("s3fs")
VERBS = {
    "fit": ["fit", "--data.root", "s3://photos/set", "--run.name", "far", "--trainer.max_epochs", "1", *TINY, *CPU],
    "validate": ["validate", "--ckpt_path", "runs/far", *CPU],
    "test": ["test", "--ckpt_path", "runs/far", *CPU],
    "predict": [
        "predict",
        "--ckpt_path",
        "runs/far",
        "--data",
        "UnlabelledData",
        "--data.root",
        "s3://photos/set",
        *CPU,
    ],
    "check": ["check", "s3://photos/set"],
    "pack": ["pack", "s3://photos/set", "--out", "packed"],
}


@pytest.fixture
def bucket(photos: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """The drawn photos in a bucket."""
    shutil.copytree(photos, photos.parent / "store" / "photos" / "set")
    with serving(photos.parent / "store") as started:
        for name, value in started.environment().items():
            monkeypatch.setenv(name, value)
        yield started


def kept_in(folder: str) -> int:
    return sum(path.stat().st_size for path in Path(folder).glob("*/??/*"))


@pytest.mark.slow
def test_cache_requests_retries_and_time_outs_are_those_that_are_said(
    bucket: Bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    largest = max(path.stat().st_size for path in bucket.root.rglob("*.png"))
    for verb, words in VERBS.items():
        remote = {
            "cache_dir": f"objects-{verb}",
            "cache_gb": str(3.5 * largest / 1e9),
            "requests": "1",
            "retries": "1",
            "timeout_seconds": "0.5",
        }
        options = [word for name, value in remote.items() for word in (f"--data.remote.{name}", value)]
        first = bucket.objects + 1
        # a stall, which ends, and is asked for again
        bucket.faults.stalls = lambda number, first=first: number == first
        bucket.most_at_once = 0
        assert main([*words, *options]) in (0, 3), verb
        assert bucket.objects > first, verb
        assert 0 < kept_in(f"objects-{verb}") <= 3.5 * largest, verb
        # the one that stalls is given up, while it is still with the server
        assert bucket.most_at_once <= 2, verb
        bucket.faults.released.set()
        bucket.faults.released = threading.Event()
        options[options.index("--data.remote.retries") + 1] = "0"
        bucket.faults.stalls = lambda number: False
        bucket.faults.busy = lambda number: True
        capsys.readouterr()
        if verb not in ("fit", "check", "pack"):
            assert main([*words, *options, "--data.remote.cache_gb", "0"]) == 2, verb
            assert "the store has failed" in capsys.readouterr().err
        bucket.faults.busy = lambda number: False


@pytest.mark.usefixtures("photos")
def test_what_is_said_of_a_store_is_refused_for_a_disk(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "photos", "--data.remote.cache_gb", "3"]) == 2
    told = capsys.readouterr().err
    assert told == "vitcli check: error: data.remote.cache_gb 3: photos lies on a disk; leave it out\n"


@pytest.mark.parametrize(
    ("option", "value"), [("cache_gb", "-1"), ("requests", "0"), ("retries", "-1"), ("timeout_seconds", "0")]
)
def test_a_number_out_of_range_is_one_line(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "s3://photos/set", "--data", "FolderData", f"--data.remote.{option}", value]) == 2
    assert f"data.remote.{option} {value}: " in capsys.readouterr().err.strip().splitlines()[-1]
