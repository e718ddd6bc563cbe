"""A training whose photos lie in a bucket: a store that fails ends it in one line, and it goes on, bit for bit."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.bucket import Bucket, serving
from tests.conftest import CPU, TINY
from tests.warm import Warm
from vitcli.__main__ import main
from vitcli.images.source.remote import store

pytest.importorskip("s3fs")
STORED = ["--data.root", "s3://photos/set/", "--data.remote.cache_gb", "0", "--data.remote.retries", "2"]
FIT = ["--data.batch_size", "4", "--trainer.max_epochs", "3", *TINY, *CPU]


@pytest.fixture
def bucket(photos: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """The drawn photos in a bucket too."""
    shutil.copytree(photos, photos.parent / "store" / "photos" / "set")
    monkeypatch.setattr(store, "FIRST_WAIT_SECONDS", 0.01)
    with serving(photos.parent / "store") as started:
        for name, value in started.environment().items():
            monkeypatch.setenv(name, value)
        yield started


def weights(run: str) -> dict[str, torch.Tensor]:
    return torch.load(f"runs/{run}/checkpoints/last.ckpt", weights_only=True)["state_dict"]


def assert_same(one: str, other: str) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_refusal_midway_is_one_line_and_the_run_goes_on_to_the_weights_of_the_disk(
    bucket: Bucket, workers: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--data.root", "photos", "--run.name", "disk", *FIT]) == 0
    words = ["fit", *STORED, "--run.name", "far", "--data.num_workers", workers, *FIT]
    # every file is looked at once; the refusal comes in the second epoch, and now and then a request fails before
    bucket.faults.busy = lambda number: number % 20 == 7
    bucket.faults.denied = lambda number: number > 90
    capsys.readouterr()
    assert main(words) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("vitcli fit: error: data.root s3://photos/set/: ")
    assert "access denied by the store" in told
    assert "Traceback" not in told
    bucket.faults.denied = lambda number: False
    assert main(["fit", "--ckpt_path", "runs/far"]) == 0
    assert_same("far", "disk")
    for file in Path("runs").rglob("*"):
        assert file.is_dir() or b"key-that-nothing-may-show" not in file.read_bytes(), file


@pytest.mark.slow
def test_a_run_that_is_killed_while_it_reads_from_a_store_goes_on_to_the_same_weights(
    bucket: Bucket, programs: Warm, here: Path
) -> None:
    kept = ["--data.remote.cache_gb", "1", "--data.remote.cache_dir", "objects", "--data.num_workers", "2"]
    assert main(["fit", "--data.root", "photos", "--run.name", "disk", *FIT]) == 0
    bucket.faults.delay_seconds = 0.05
    started = programs.start("fit", "--data.root", "s3://photos/set", *kept, "--run.name", "far", *FIT)
    while not list(here.glob("runs/far/checkpoints/last.ckpt")):
        assert started.runs(0.02), started.err
    started.send(signal.SIGKILL)
    assert started.done().returncode == -signal.SIGKILL
    bucket.faults.delay_seconds = 0.0
    again = programs.run("fit", "--ckpt_path", "runs/far", "--data.remote.cache_dir", "objects")
    assert again.returncode == 0, again.stderr
    assert_same("far", "disk")
    assert not list(here.glob("objects/**/*.part"))


@pytest.mark.slow
def test_check_predict_and_report_read_a_bucket(bucket: Bucket, capsys: pytest.CaptureFixture[str]) -> None:
    # what was found out is kept, and findings are none
    kept = ["--data.remote.cache_dir", "objects"]
    assert main(["check", "s3://photos/set", "--out", "looked", *kept]) in (0, 3)
    assert json.loads(Path("looked/check.json").read_text())["root"] == "s3://photos/set"
    asked = bucket.objects
    assert asked == 39
    assert main(["fit", "--data.root", "s3://photos/set", *kept, "--run.name", "far", *FIT[:2], *TINY, *CPU,
                 "--trainer.max_epochs", "1"]) == 0  # fmt: skip
    words = ["predict", "--ckpt_path", "runs/far", "--data", "UnlabelledData", "--data.root", "s3://photos/set/test"]
    assert main([*words, *kept, *CPU, "--predictions.path", "far.csv"]) == 0
    words[-1] = "photos/test"
    assert main([*words, *CPU, "--predictions.path", "near.csv"]) == 0
    assert Path("far.csv").read_bytes() == Path("near.csv").read_bytes()
    assert main(["report", "runs/far"]) == 0
    assert "no such" not in capsys.readouterr().err
