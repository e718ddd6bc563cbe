"""Is a checkpoint in its file whole, whatever happens while it is written?"""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import TINY
from vitcli.train.checkpoint_files import CheckpointFiles

FIT = ["fit", "--data.root", "photos", "--data.batch_size", "8", "--trainer.accelerator", "cpu", *TINY]

# writes checkpoints, each of 8 MB of one number, until it is killed
WRITER = """
import sys, torch
from pathlib import Path
from vitcli.train.checkpoint_files import CheckpointFiles
files = CheckpointFiles()
for step in range(1000):
    content = {"global_step": step, "state_dict": {"weight": torch.full((2_000_000,), float(step))}}
    for name in ("best", "last") if step % 2 else ("last",):
        files.save_checkpoint(content, Path(sys.argv[1], f"{name}.ckpt"))
    if step == 1:
        print("written", flush=True)
"""


def content(step: int) -> dict[str, Any]:
    return {
        "global_step": step,
        "callbacks": {"best": torch.tensor(0.5)},
        "state_dict": {"weight": torch.full((3,), float(step))},
    }


def weight(path: Path) -> list[float]:
    return list(torch.load(path, weights_only=True)["state_dict"]["weight"][:3])


def test_best_and_last_of_the_same_moment_are_one_file_and_part_when_training_goes_on(tmp_path: Path):
    files = CheckpointFiles()
    best, last = tmp_path / "kept" / "best.ckpt", tmp_path / "kept" / "last.ckpt"
    for step in (1, 2):
        files.save_checkpoint(content(step), best)
        files.save_checkpoint(content(step), last)
        files.save_checkpoint(content(step), last)
        assert best.samefile(last)
    files.save_checkpoint(content(3), last)
    assert weight(best) == [2, 2, 2]
    assert weight(last) == [3, 3, 3]
    assert {path.name for path in best.parent.iterdir()} == {"best.ckpt", "last.ckpt"}


def test_what_is_kept_beside_the_tensors_decides_over_the_moment(tmp_path: Path):
    files = CheckpointFiles()
    files.save_checkpoint(content(1), tmp_path / "best.ckpt")
    files.save_checkpoint(content(1) | {"callbacks": {"best": torch.tensor(0.6)}}, tmp_path / "last.ckpt")
    assert not (tmp_path / "best.ckpt").samefile(tmp_path / "last.ckpt")
    files.save_checkpoint({"global_step": 1, "state_dict": {}}, tmp_path / "weights.ckpt")
    assert not (tmp_path / "last.ckpt").samefile(tmp_path / "weights.ckpt")


def test_where_a_file_has_but_one_name_there_are_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    files = CheckpointFiles()
    for name in ("best", "last"):
        files.save_checkpoint(content(1), tmp_path / f"{name}.ckpt")
        assert weight(tmp_path / f"{name}.ckpt") == [1, 1, 1]
    assert not (tmp_path / "best.ckpt").samefile(tmp_path / "last.ckpt")


def test_what_a_killed_process_has_left_is_never_written_through(tmp_path: Path):
    CheckpointFiles().save_checkpoint(content(1), tmp_path / "best.ckpt")
    (tmp_path / ".last.ckpt.part").hardlink_to(tmp_path / "best.ckpt")
    CheckpointFiles().save_checkpoint(content(2), tmp_path / "last.ckpt")
    assert weight(tmp_path / "best.ckpt") == [1, 1, 1]
    assert weight(tmp_path / "last.ckpt") == [2, 2, 2]


def test_a_process_killed_while_it_writes_leaves_whole_checkpoints(tmp_path: Path):
    wait = random.Random(0)
    for _ in range(4):
        with subprocess.Popen([sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"written\n"
            time.sleep(wait.uniform(0, 0.05))
            writer.kill()
        for name in ("best", "last"):
            held = torch.load(tmp_path / f"{name}.ckpt", weights_only=True)
            assert (held["state_dict"]["weight"] == held["global_step"]).all()


def test_a_disk_that_is_full_ends_a_run_with_one_line_and_its_checkpoint_as_it_was(photos: Path):
    def limited(*words: str, most: int = resource.RLIM_INFINITY) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "vitcli", *words],
            capture_output=True,
            text=True,
            check=False,
            # no file may grow beyond that, as on a disk with no more room
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY)),
        )

    # of a net so large that its checkpoint is the largest file
    words = [*FIT, "--model.net.dim", "128", "--run.name", "run", "--trainer.max_epochs", "1"]
    assert limited(*words).returncode == 0
    last = Path("runs/run/checkpoints/last.ckpt")
    before = last.read_bytes()
    done = limited("fit", "--ckpt_path", "runs/run", "--trainer.max_epochs", "2", most=len(before) // 2)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("vitcli fit: error: runs/run/checkpoints/")
    assert "cannot be written: File too large; make room, then vitcli fit --ckpt_path runs/run/" in done.stderr
    assert "Traceback" not in done.stderr
    assert last.read_bytes() == before
    assert {path.name for path in last.parent.iterdir()} == {"best.ckpt", "last.ckpt"}
    assert limited("fit", "--ckpt_path", "runs/run", "--trainer.max_epochs", "2").returncode == 0
