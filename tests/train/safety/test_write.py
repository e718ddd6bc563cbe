"""A checkpoint in its file is whole, whatever happens while it is written."""

from __future__ import annotations

import copy
import os
import random
import signal
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import TINY
from tests.warm import Warm
from vitcli.__main__ import main
from vitcli.machine.atomic import replacing
from vitcli.train.safety import write as checkpoint_files
from vitcli.train.safety.snapshot import is_same
from vitcli.train.safety.write import CheckpointFiles

FIT = ["fit", "--data.root", "photos", "--data.batch_size", "8", "--trainer.accelerator", "cpu", *TINY]

# writes checkpoints, each of 8 MB of one number, until it is killed
WRITER = """
import sys, torch
from pathlib import Path
from vitcli.train.safety.write import CheckpointFiles
files = CheckpointFiles()
for step in range(1000):
    content = {"global_step": step, "state_dict": {"weight": torch.full((2_000_000,), float(step))}}
    for name in ("best", "last") if step % 2 else ("last",):
        files.save_checkpoint(content, Path(sys.argv[1], f"{name}.ckpt"))
    if step == 1:
        files.wait()
        print("written", flush=True)
"""


def content(step: int) -> dict[str, Any]:
    return {
        "global_step": step,
        "callbacks": {"best": torch.tensor(0.5)},
        "state_dict": OrderedDict(weight=torch.full((3,), float(step))),
        "optimizer_states": [{"state": {0: {"exp_avg": torch.full((2,), float(step))}}, "param_groups": []}],
    }


def weight(path: Path) -> list[float]:
    return list(torch.load(path, weights_only=True)["state_dict"]["weight"])


def save(held: dict[str, Any], *paths: Path) -> None:
    files = CheckpointFiles()
    for path in paths:
        files.save_checkpoint(held, path)
    files.wait()


def test_a_checkpoint_is_of_the_moment_at_which_it_was_asked_for(tmp_path: Path):
    files, held = CheckpointFiles(), content(1)
    held["state_dict"]._metadata = {"": {"version": 1}}
    expected = copy.deepcopy(held)
    files.save_checkpoint(held, tmp_path / "last.ckpt")
    held["state_dict"]["weight"].fill_(9)
    held["optimizer_states"][0]["state"][0]["exp_avg"].fill_(9)
    held["callbacks"]["best"] = torch.tensor(9.0)
    files.wait()
    written = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert is_same(written, expected)
    assert written["state_dict"]._metadata == {"": {"version": 1}}


def test_training_goes_on_while_a_checkpoint_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fsync, may_end = os.fsync, threading.Event()

    def slowly(descriptor: int) -> None:
        assert may_end.wait(60)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", slowly)
    files = CheckpointFiles()
    files.save_checkpoint(content(1), tmp_path / "last.ckpt")
    assert not (tmp_path / "last.ckpt").exists()
    may_end.set()
    files.teardown()
    assert weight(tmp_path / "last.ckpt") == [1, 1, 1]
    # and once more after that
    files.save_checkpoint(content(2), tmp_path / "last.ckpt")
    files.teardown()
    assert weight(tmp_path / "last.ckpt") == [2, 2, 2]


def test_a_tensor_that_layers_share_is_written_once(tmp_path: Path):
    shared = torch.randn(100_000)
    save({"state_dict": {"0": shared, "1": shared.detach()}}, tmp_path / "last.ckpt")
    assert (tmp_path / "last.ckpt").stat().st_size < 1.5 * 4 * len(shared)
    written = torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"]
    assert torch.equal(written["0"], shared)
    assert torch.equal(written["1"], shared)


def test_best_and_last_of_the_same_moment_are_written_from_one_copy_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    taken = []
    take = checkpoint_files.snapshot
    monkeypatch.setattr(
        checkpoint_files, "snapshot", lambda held, *more: taken.append(held.keys()) or take(held, *more)
    )
    files = CheckpointFiles()
    best, last = tmp_path / "kept" / "best.ckpt", tmp_path / "kept" / "last.ckpt"
    for step in (1, 2):
        taken.clear()
        for path in (best, last, last, best):
            files.save_checkpoint(content(step), path)
        files.wait()
        assert sum("state_dict" in keys for keys in taken) == 1
        assert weight(best) == weight(last) == [step] * 3
    files.save_checkpoint(content(3), last)
    files.wait()
    assert weight(best) == [2, 2, 2]
    assert weight(last) == [3, 3, 3]
    # two files, for a user may write into one of them
    assert not best.samefile(last)
    assert {path.name for path in best.parent.iterdir()} == {"best.ckpt", "last.ckpt"}


def test_what_is_kept_beside_the_tensors_decides_over_the_moment(tmp_path: Path):
    files = CheckpointFiles()
    others = content(1) | {"callbacks": {"best": torch.tensor(0.6)}}
    files.save_checkpoint(content(1), tmp_path / "best.ckpt")
    files.save_checkpoint(others, tmp_path / "last.ckpt")
    files.save_checkpoint({"global_step": 1, "state_dict": {}}, tmp_path / "weights.ckpt")
    files.wait()
    assert is_same(torch.load(tmp_path / "best.ckpt", weights_only=True), content(1))
    assert is_same(torch.load(tmp_path / "last.ckpt", weights_only=True), others)
    assert torch.load(tmp_path / "weights.ckpt", weights_only=True) == {"global_step": 1, "state_dict": {}}


def test_what_a_killed_process_has_left_is_in_nobodys_way(tmp_path: Path):
    with pytest.raises(ProcessLookupError):
        os.kill(dead := 4_000_000, 0)
    with replacing(tmp_path / "last.ckpt") as part:
        part.write_bytes(b"half" * 10_000)
    (tmp_path / "last.ckpt").rename(part.with_name(part.name.replace(f"-{os.getpid()}.", f"-{dead}.")))
    assert len(list(tmp_path.iterdir())) == 1
    save(content(2), tmp_path / "last.ckpt")
    assert weight(tmp_path / "last.ckpt") == [2, 2, 2]
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


def test_a_checkpoint_is_removed_when_the_one_that_replaces_it_is_written_and_not_before(tmp_path: Path):
    files = CheckpointFiles()
    for step in (1, 2):
        files.save_checkpoint(content(step), tmp_path / f"{step}.ckpt")
    files.remove_checkpoint(tmp_path / "1.ckpt")
    files.wait()
    assert [path.name for path in tmp_path.iterdir()] == ["2.ckpt"]
    # what is there cannot be replaced by it
    (tmp_path / "file").touch()
    files.save_checkpoint(content(3), tmp_path / "file" / "3.ckpt")
    files.remove_checkpoint(tmp_path / "2.ckpt")
    files.wait()
    assert weight(tmp_path / "2.ckpt") == [2, 2, 2]
    (tmp_path / "file").unlink()
    files.save_checkpoint(content(4), tmp_path / "4.ckpt")
    files.wait()
    assert weight(tmp_path / "file" / "3.ckpt") == [3, 3, 3]
    assert weight(tmp_path / "4.ckpt") == [4, 4, 4]
    assert not (tmp_path / "2.ckpt").exists()


def test_a_process_killed_while_it_writes_leaves_whole_checkpoints(tmp_path: Path, programs: Warm):
    wait = random.Random(0)
    for _ in range(4):
        writer = programs.start(tmp_path, code=WRITER)
        writer.until("written\n")
        time.sleep(wait.uniform(0, 0.05))
        writer.send(signal.SIGKILL)
        assert writer.done().returncode == -signal.SIGKILL
        for name in ("best", "last"):
            held = torch.load(tmp_path / f"{name}.ckpt", weights_only=True)
            assert (held["state_dict"]["weight"] == held["global_step"]).all()


def test_a_disk_that_is_full_from_the_start_takes_one_line_too(photos: Path, programs: Warm):
    done = programs.run(*FIT, "--trainer.max_epochs", "1", most=1000)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("File too large; make room and start again")
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "in_passing"),
    [
        ([], True),
        pytest.param(
            ["--trainer.logger", "WandbLogger", "--trainer.logger.log_model", "all"], True, marks=pytest.mark.slow
        ),
        (["--trainer.logger", "CSVLogger", "--trainer.logger.save_dir", "elsewhere"], False),
    ],
    ids=["own", "wandb offline", "another's"],
)
def test_a_logger_that_may_read_checkpoints_is_told_of_them_when_they_are_written(
    words: list[str], in_passing: bool, photos: Path, monkeypatch: pytest.MonkeyPatch
):
    start, asked = CheckpointFiles.__init__, []

    def note(self: CheckpointFiles, in_passing: bool, **options: Any) -> None:
        asked.append(in_passing)
        start(self, in_passing, **options)

    monkeypatch.setattr(CheckpointFiles, "__init__", note)
    assert main([*FIT, *words, "--trainer.max_epochs", "1"]) == 0
    assert asked == [in_passing]
