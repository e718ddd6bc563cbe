"""A signal in a training saves the run and ends it with a line and its code; one that comes earlier leaves nothing."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch

from tests.conftest import CPU, TINY
from tests.train.safety.stopper import CODE
from tests.warm import Warm

WORDS = ["--data.root", "photos", "--data.batch_size", "2", *TINY, *CPU]
SAID = "stopping after this step; once more stops at once"


def test_a_run_that_is_terminated_is_saved_and_goes_on(programs: Warm, photos: Path):
    running = programs.start("fit", *WORDS, "--trainer.max_epochs", "500", "--run.name", "r")
    running.until("epoch 1/500")
    running.send(signal.SIGTERM)
    ended = running.done(60)
    assert ended.returncode == 143
    assert f"SIGTERM: {SAID}" in ended.stderr
    assert "Traceback" not in ended.stderr
    step = torch.load("runs/r/checkpoints/last.ckpt", weights_only=True)["global_step"]
    assert f"stopped at step {step}; go on with: vitcli fit --ckpt_path runs/r\n" in ended.stdout
    again = programs.run("fit", "--ckpt_path", "runs/r", "--trainer.max_steps", str(step + 3))
    assert again.returncode == 0, again.stderr
    assert f"going on from runs/r/checkpoints/last.ckpt, step {step}\n" in again.stdout


def test_a_second_sigterm_ends_it_at_once(programs: Warm, photos: Path):
    running = programs.start(
        "fit", *WORDS, "--trainer.max_epochs", "500", "--trainer.accumulate_grad_batches", "1000000"
    )
    # a step takes a million batches; the pictures of its first ones are drawn
    while not list(Path("runs").glob("*/samples.png")):
        assert running.runs(0.05), running.err
    while running.runs(0.05):
        running.send(signal.SIGTERM)
    assert running.done(60).returncode == 143


def test_a_hangup_in_a_validation_saves_the_run_before_it(programs: Warm, photos: Path):
    code = CODE.format(hook="on_validation_batch_start", at=2, number=int(signal.SIGHUP))
    ended = programs.run("fit", *WORDS, "--trainer.max_epochs", "2", "--run.name", "r", code=code)
    assert ended.returncode == 129, ended.stderr
    assert f"SIGHUP: {SAID}" in ended.stderr
    # 24 images make 12 steps; a validation of an epoch has 4 batches, and it is the first
    saved = torch.load("runs/r/checkpoints/last.ckpt", weights_only=True)
    assert saved["global_step"] == 12
    assert saved["loops"]["fit_loop"]["epoch_loop.val_loop.batch_progress"]["current"]["completed"] == 0
    assert not Path("runs/r/checkpoints/best.ckpt").exists()


def test_slurms_warning_saves_the_run_and_requeues_it_and_takes_no_others_checkpoint(
    programs: Warm, photos: Path, here: Path, monkeypatch: pytest.MonkeyPatch
):
    scontrol = here / "bin" / "scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text(f'#!/bin/sh\necho "$@" > {here}/asked\n')
    scontrol.chmod(0o755)
    job = {"JOB_ID": "12", "JOB_NAME": "job", "NTASKS": "1", "PROCID": "0", "LOCALID": "0", "NODEID": "0"}
    for name, value in job.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    monkeypatch.setenv("PATH", str(scontrol.parent), prepend=":")
    # what Lightning would go on with; it is no checkpoint at all
    Path("runs").mkdir()
    Path("runs/hpc_ckpt_1.ckpt").write_text("another run's")
    code = CODE.format(hook="on_train_batch_end", at=3, number=int(signal.SIGUSR1))
    ended = programs.run("fit", *WORDS, "--run.name", "r", code=code)
    assert ended.returncode == 138, ended.stderr
    assert "stopped at step 3;" in ended.stdout
    assert ended.stdout.endswith("requeued SLURM job 12\n")
    assert Path("asked").read_text() == "requeue 12\n"
    assert sorted(os.listdir("runs")) == [".cache", "hpc_ckpt_1.ckpt", "r"]


def test_before_the_first_step_nothing_is_left(programs: Warm, photos: Path):
    code = CODE.format(hook="on_fit_start", at=1, number=int(signal.SIGTERM))
    ended = programs.run("fit", *WORDS, "--run.name", "r", code=code)
    assert (ended.returncode, ended.stderr) == (143, "vitcli fit: stopped by SIGTERM\n")
    assert not Path("runs/r").exists()


@pytest.mark.slow
def test_a_table_that_is_stopped_goes_on_by_the_same_command(programs: Warm, copied: Path):
    words = ["predict", "--ckpt_path", str(copied), "--data.root", "photos/test", "--data.batch_size", "1", *CPU]
    for at, number in ((2, signal.SIGTERM), (3, signal.SIGUSR1)):
        ended = programs.run(*words, code=CODE.format(hook="on_predict_batch_end", at=at, number=int(number)))
        assert ended.returncode == 128 + number, ended.stderr
        assert ended.stderr.endswith(f"vitcli predict: stopped by {number.name}\n")
        assert "the same command goes on with them" in ended.stderr
        assert not (copied / "predictions.csv").exists()
    whole = programs.run(*words)
    assert whole.returncode == 0, whole.stderr
    assert "rows are kept" in whole.stdout
    assert len((copied / "predictions.csv").read_text().splitlines()) == 1 + 7
