"""kill -9 at any moment of saving: the newest checkpoint is whole every time, and the next start leaves no litter."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
import torch

from tests.conftest import CPU, TINY
from tests.train.safety.disk import listed
from tests.warm import Warm
from vitcli.weights.checkpoint import read_checkpoint
from vitcli.weights.seal import is_intact

FIT = ["fit", "--data", "ShapesData", "--data.train", "400", "--data.val", "8", "--data.batch_size", "4", *TINY, *CPU]
WAYS = ["TMPDIR here", "TMPDIR on another disk"]

# saves without end, as a run does, checkpoints of a megabyte that hold one number everywhere, until it is killed
SAVER = """
import sys, torch
from pathlib import Path
from vitcli.machine.atomic import sweep
from vitcli.train.safety.write import CheckpointFiles
folder = Path(sys.argv[1])
sweep(folder)
print(sorted(path.name for path in folder.iterdir() if path.name.startswith(".")), flush=True)
files, first = CheckpointFiles(keep=2), int(sys.argv[2])
for step in range(first, first + 100_000):
    content = {"global_step": step, "state_dict": {"weight": torch.full((250_000,), float(step))}}
    for name in ("best", "last") if step % 3 == 0 else ("last",):
        files.save_checkpoint(content, folder / f"{name}.ckpt")
    print(step, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_a_hundred_savers_killed_leave_a_whole_newest_checkpoint_each(
    way: str, tmp_path: Path, programs: Warm, monkeypatch: pytest.MonkeyPatch
):
    if way == WAYS[1]:
        monkeypatch.setenv("TMPDIR", "/dev/shm")
    chance, step, newest, halves = random.Random(way), 1, 0, 0
    for _ in range(100):
        saver = programs.start(tmp_path, step, code=SAVER)
        saver.until(f"\n{step + 1}\n")
        time.sleep(chance.uniform(0, 0.06))
        saver.send(signal.SIGKILL)
        assert saver.done().returncode == -signal.SIGKILL
        assert saver.out.startswith("[]\n"), "what the one before has left is gone"
        halves += any(name.startswith(".") for name in listed(tmp_path))
        for path in tmp_path.glob("*.ckpt"):
            assert is_intact(path), path
            held = torch.load(path, weights_only=True)
            assert (held["state_dict"]["weight"] == held["global_step"]).all()
        said = int(saver.out.split()[-1])
        last = torch.load(tmp_path / "last.ckpt", weights_only=True)["global_step"]
        # the one before was awaited when a step was begun
        assert newest <= said - 1 <= last <= said + 1
        newest, step = last, last + 1
    assert halves > 10, "there was something to be left"


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_ten_runs_killed_while_they_save_go_on_by_the_same_command(
    way: str, here: Path, programs: Warm, monkeypatch: pytest.MonkeyPatch
):
    if way == WAYS[1]:
        monkeypatch.setenv("TMPDIR", "/dev/shm")
    chance, reached = random.Random(way), 0
    run = Path("runs/r")
    again = [
        *FIT,
        "--run.name",
        "r",
        "--run.resume",
        "auto",
        "--run.save_minutes",
        "0.0001",
        "--trainer.max_epochs",
        "999",
    ]
    for _ in range(10):
        fit = programs.start(*again)
        fit.until("data: ")
        time.sleep(chance.uniform(0.05, 1.5))
        fit.send(signal.SIGKILL)
        assert fit.done().returncode == -signal.SIGKILL
        assert "Traceback" not in fit.err
        assert f"step {reached}\n" in fit.out if reached else "going on" not in fit.out
        for path in run.rglob("*.ckpt"):
            assert is_intact(path), path
        if (run / "checkpoints/last.ckpt").is_file():
            step = read_checkpoint(run / "checkpoints/last.ckpt")["global_step"]
            assert step >= reached
            reached = step
    assert reached
    assert programs.run(*again, "--trainer.max_steps", str(reached + 1)).returncode == 0
    assert [path for path in run.rglob(".*") if path.name.startswith(".")] == []
    assert listed(Path("runs")) == [".cache", "r"] if os.path.isdir("runs/.cache") else ["r"]
