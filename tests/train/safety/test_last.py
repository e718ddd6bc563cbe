"""SIGTERM in a training: the run is saved, that is said, and the exit code is 143."""

from __future__ import annotations

import signal
from pathlib import Path

import torch

from tests.conftest import CPU, TINY
from tests.warm import Warm


def test_a_run_that_is_terminated_is_saved_and_goes_on(programs: Warm, photos: Path):
    words = ["--data.root", "photos", "--data.batch_size", "2", *TINY, *CPU]
    running = programs.start("fit", *words, "--trainer.max_epochs", "500", "--run.name", "r")
    running.until("epoch 1/500")
    running.send(signal.SIGTERM)
    ended = running.done(60)
    assert ended.returncode == 143
    assert "SIGTERM: stopping after this step; once more stops at once" in ended.stderr
    assert "Traceback" not in ended.stderr
    step = torch.load("runs/r/checkpoints/last.ckpt", weights_only=True)["global_step"]
    assert f"stopped at step {step}; go on with: vitcli fit --ckpt_path runs/r\n" in ended.stdout
    again = programs.run("fit", "--ckpt_path", "runs/r", "--trainer.max_steps", str(step + 3))
    assert again.returncode == 0, again.stderr
    assert f"going on from runs/r/checkpoints/last.ckpt, step {step}\n" in again.stdout


def test_a_second_sigterm_ends_it_at_once(programs: Warm, photos: Path):
    words = ["--data.root", "photos", "--data.batch_size", "2", *TINY, *CPU]
    running = programs.start(
        "fit", *words, "--trainer.max_epochs", "500", "--trainer.accumulate_grad_batches", "1000000"
    )
    running.until("data: ")
    while "SIGTERM" not in running.err and running.runs(0.05):
        running.send(signal.SIGTERM)
    while running.runs(0.05):
        running.send(signal.SIGTERM)
    assert running.done(60).returncode in (143, -signal.SIGTERM)
