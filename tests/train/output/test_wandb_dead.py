"""A wandb server that dies midway costs no step a second, and the end of a run the time that is set for it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.conftest import CPU, TINY
from tests.train.output.silent_wandb import server
from tests.warm import Warm

FIT = ["fit", "--data", "ShapesData", "--data.train", "400", "--data.val", "8", "--data.batch_size", "4", *TINY, *CPU]


@pytest.mark.slow
def test_a_server_that_accepts_and_never_answers_costs_no_step_a_second(
    here: Path, programs: Warm, monkeypatch: pytest.MonkeyPatch
):
    with server() as started:
        monkeypatch.setenv("WANDB_MODE", "online")
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
        monkeypatch.setenv("WANDB_BASE_URL", started.address)
        monkeypatch.setenv("WANDB_FINISH_TIMEOUT", "5")
        words = ["--trainer.logger", "WandbLogger", "--trainer.log_every_n_steps", "1", "--run.name", "r"]
        fit = programs.start(*FIT, *words, "--trainer.max_epochs", "12")
        fit.until("epoch 2/12")
        started.is_silent.set()
        dead, seen, longest = time.monotonic(), fit.out.count("epoch "), 0.0
        while "done: 12 epochs" not in fit.out:
            assert fit.runs(0.01), fit.err
            if (now := fit.out.count("epoch ")) > seen:
                longest, seen, dead = max(longest, time.monotonic() - dead), now, time.monotonic()
        end = time.monotonic()
        done = fit.done(60)
        assert done.returncode == 0, done.stderr
        assert started.asked_in_vain
        # of an epoch of 100 steps and a validation
        assert longest < 10
        assert time.monotonic() - end < 40
        told = [line for line in done.stderr.splitlines() if line.startswith("wandb: ")]
        assert "send it later with: wandb sync runs/r/wandb/run-*" in told[-1]
