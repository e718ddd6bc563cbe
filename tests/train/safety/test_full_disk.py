"""A disk that is full, read-only or gone ends no training, and nothing that was learned is lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import CPU, TINY
from tests.train.safety.disk import Disk, disk, listed, until
from tests.warm import Warm
from vitcli.__main__ import main
from vitcli.run import Run
from vitcli.train.safety import backlog
from vitcli.train.safety.put import put
from vitcli.train.safety.spare import Spare
from vitcli.train.safety.write import CheckpointFiles

FIT = ["fit", "--data.root", "photos", "--data.batch_size", "8", *TINY, *CPU]


def content(step: int) -> dict[str, Any]:
    return {"global_step": step, "state_dict": {"weight": torch.full((3,), float(step))}, "optimizer_states": []}


def step_of(path: Path) -> int:
    held = torch.load(path, weights_only=True)
    if "weight" in held["state_dict"]:
        assert held["state_dict"]["weight"].tolist() == [held["global_step"]] * 3
    return int(held["global_step"])


@pytest.fixture
def blocked(tmp_path: Path) -> Path:
    """A folder that cannot be made, as a file stands in its place."""
    (tmp_path / "run").touch()
    return tmp_path / "run"


def test_what_cannot_be_written_is_told_and_tried_again(
    blocked: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    files = CheckpointFiles()
    for step in (1, 2):
        for name in ("best.ckpt", "last.ckpt"):
            files.save_checkpoint(content(step), blocked / name)
        files.wait()
        told = capsys.readouterr().err.splitlines()
        said = f"cannot be written: File exists; training goes on, and step {step} is kept in memory, to be tried again"
        assert told == [f"{blocked / name}: {said} every minute" for name in ("best.ckpt", "last.ckpt")]
    blocked.unlink()
    files.retry_if_due()
    files.wait()
    assert not blocked.exists()
    monkeypatch.setattr(backlog, "RETRY_SECONDS", 0)
    files.retry_if_due()
    files.wait()
    assert step_of(blocked / "best.ckpt") == step_of(blocked / "last.ckpt") == 2
    told = capsys.readouterr().err.splitlines()
    assert told == [f"{blocked / name}: is written now" for name in ("best.ckpt", "last.ckpt")]
    files.teardown()
    assert files.mistake is None
    assert listed(blocked) == ["best.ckpt", "last.ckpt"]


def test_memory_holds_the_newest_and_the_best_and_no_more(blocked: Path, capsys: pytest.CaptureFixture[str]):
    files = CheckpointFiles()
    for step in range(1, 6):
        files.save_checkpoint(content(step), blocked / f"{step}.ckpt")
        files.save_checkpoint(content(step), blocked / "last.ckpt")
    files.wait()
    assert "1.ckpt: given up, as memory holds newer ones" in capsys.readouterr().err
    blocked.unlink()
    files.teardown()
    assert listed(blocked) == ["4.ckpt", "5.ckpt", "last.ckpt"]
    assert step_of(blocked / "last.ckpt") == 5


def test_what_reads_back_otherwise_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    last = tmp_path / "last.ckpt"
    put(content(1), last)
    advise = os.posix_fadvise

    def damage(descriptor: int, *args: int) -> None:
        os.pwrite(descriptor, b"?", 100)
        advise(descriptor, *args)

    files = CheckpointFiles()
    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fadvise", damage)
        files.save_checkpoint(content(2), last)
        files.wait()
    assert "last.ckpt: cannot be written: reads back otherwise than it was written" in capsys.readouterr().err
    assert step_of(last) == 1
    files.teardown()
    assert step_of(last) == 2


def test_what_is_never_written_goes_into_the_spare_folder(blocked: Path, tmp_path: Path):
    for folder, number in (("spare", ""), ("spare", "-2"), ("run", None)):
        files = CheckpointFiles(spare=Spare(str(tmp_path / folder), Run(blocked)))
        files.save_checkpoint(content(3), blocked / "checkpoints" / "last.ckpt")
        files.teardown()
        assert files.mistake is not None
        assert files.mistake.startswith(f"{blocked}/checkpoints/last.ckpt: could not be written: Not a directory")
        if number is None:
            assert files.mistake.endswith("; make room or correct that, then give the same command again")
        else:
            where = tmp_path / f"spare/run{number}"
            assert files.mistake.endswith(f"lies in {where}; make room, or go on there: vitcli fit --ckpt_path {where}")
            assert step_of(where / "checkpoints" / "last.ckpt") == 3


def test_a_spare_folder_may_lie_at_home(blocked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    files = CheckpointFiles(spare=Spare("~/spare", Run(blocked)))
    files.save_checkpoint(content(3), blocked / "checkpoints" / "last.ckpt")
    files.teardown()
    where = tmp_path / "spare" / "run"
    assert files.mistake is not None
    assert files.mistake.endswith(f"go on there: vitcli fit --ckpt_path {where}")
    assert step_of(where / "checkpoints" / "last.ckpt") == 3


def test_what_neither_folder_takes_is_told_once(blocked: Path, tmp_path: Path):
    (tmp_path / "file").touch()
    files = CheckpointFiles(spare=Spare(str(tmp_path / "file"), Run(blocked)))
    for name in ("last.ckpt", "best.ckpt"):
        files.save_checkpoint(content(3), blocked / "checkpoints" / name)
    files.teardown()
    assert files.mistake is not None
    assert files.mistake.count(f", and nothing into {tmp_path / 'file'}: ") == 1
    assert "run.dir" not in files.mistake


@pytest.mark.slow
def test_files_that_may_not_grow_end_a_run_with_2_and_no_sooner(photos: Path, programs: Warm):
    # of a net so large that its checkpoint is the largest file
    words = [*FIT, "--model.net.dim", "128", "--run.name", "run", "--trainer.max_epochs", "1"]
    assert main(words) == 0
    last = Path("runs/run/checkpoints/last.ckpt")
    before = last.read_bytes()
    done = programs.run("fit", "--ckpt_path", "runs/run", "--trainer.max_epochs", "3", most=len(before) // 2)
    assert done.returncode == 2
    assert "epoch 3/3" in done.stdout
    assert done.stderr.count("last.ckpt: cannot be written: File too large; training goes on, and step ") == 2
    assert "step 6 is kept" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("vitcli fit: error: runs/run/checkpoints/")
    assert "could not be written: File too large, and nothing into /" in done.stderr
    assert "Traceback" not in done.stderr
    assert last.read_bytes() == before
    assert listed(last.parent) == ["best.ckpt", "last.ckpt"]
    assert main(["fit", "--ckpt_path", "runs/run", "--trainer.max_epochs", "2"]) == 0


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Disk]:
    """A disk of 8 MB."""
    with disk(tmp_path / "small", 8) as mounted:
        yield mounted


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["emptied", "full"])
def test_a_disk_that_fills_up_midway_loses_nothing(ending: str, photos: Path, small: Disk, programs: Warm):
    last = small.folder / "r/checkpoints/last.ckpt"
    # of 1.3 MB each
    words = [*FIT, "--model.net.dim", "64", "--model.net.backend.depth", "3", "--run.save_minutes", "0.01"]
    words += ["--run.dir", str(small.folder), "--run.name", "r", "--run.spare_dir", "spare"]
    running = programs.start(*words, "--trainer.max_epochs", "100000")
    until(running, lambda: last.is_file() and "epoch 3/" in running.out)
    small.fill()
    until(running, lambda: running.err.count("No space left on device; training goes on") > 3)
    assert torch.load(last, weights_only=True)["global_step"] > 0
    if ending == "emptied":
        small.empty()
        until(running, lambda: "is written now" in running.err or running.out.count("\n") > 3000)
        running.send(signal.SIGTERM)
        done = running.done(60)
        assert done.returncode == 143, done.stderr
        where = last
    else:
        epochs = running.out.count("epoch ")
        until(running, lambda: running.out.count("epoch ") > epochs + 10)
        running.send(signal.SIGTERM)
        done = running.done(60)
        assert done.returncode == 2, done.stderr
        assert done.stderr.splitlines()[-1].endswith("go on there: vitcli fit --ckpt_path spare/r")
        where = Path("spare/r/checkpoints/last.ckpt")
    assert "Traceback" not in done.stderr
    step = step_of(where)
    # all that was learned: no step is further than the checkpoint
    assert 3 * done.stdout.count("epoch ") <= step
    again = programs.run("fit", "--ckpt_path", str(where), "--trainer.max_steps", str(step + 3))
    assert f"going on from {where}, step {step}\n" in again.stdout
    if ending == "emptied":
        assert again.returncode == 0, again.stderr
        assert not [name for name in listed(last.parent) if name.startswith(".")]


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["writable again", "read-only"])
def test_a_run_folder_that_becomes_read_only_midway_loses_nothing(
    ending: str, photos: Path, small: Disk, programs: Warm
):
    last = small.folder / "r/checkpoints/last.ckpt"
    words = [*FIT, "--run.save_minutes", "0.01", "--run.dir", str(small.folder), "--run.name", "r"]
    running = programs.start(*words, "--run.spare_dir", "spare", "--trainer.max_epochs", "100000")
    until(running, lambda: last.is_file() and "epoch 3/" in running.out)
    small.become_read_only()
    until(running, lambda: running.err.count("Read-only file system; training goes on") > 3)
    where = Path("spare/r/checkpoints/last.ckpt")
    if ending == "writable again":
        small.become_writable()
        written = running.err.count("is written now")
        until(running, lambda: running.err.count("is written now") > written or running.out.count("\n") > 3000)
        where = last
    running.send(signal.SIGTERM)
    done = running.done(60)
    assert done.returncode == (143 if ending == "writable again" else 2), done.stderr
    assert "Traceback" not in done.stderr
    assert 3 * done.stdout.count("epoch ") <= step_of(where)
    if ending == "read-only":
        small.become_writable()
    again = programs.run("fit", "--ckpt_path", str(where), "--trainer.max_steps", str(step_of(where) + 3))
    assert again.returncode == 0, again.stderr
