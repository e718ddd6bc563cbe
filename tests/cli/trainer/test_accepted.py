"""A run's folder changes only when Lightning has accepted every setting."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
import yaml

from tests.conftest import CPU, TINY
from vitcli.__main__ import main

REFUSED = [
    ["--trainer.val_check_interval", "100"],
    ["--checkpoint.monitor", "val_loss"],
    ["--trainer.callbacks+=StochasticWeightAveraging", "--trainer.callbacks.swa_lrs", "1e-3"],
    ["--trainer.accelerator", "tpuu"],
    ["--trainer.overfit_batches", "-1"],
]


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("words", REFUSED, ids=lambda words: " ".join(words)[:40])
def test_a_resume_that_is_refused_leaves_the_run_as_it_was(
    copied: Path, words: list[str], capsys: pytest.CaptureFixture[str]
):
    before = content(copied)
    assert main(["fit", "--ckpt_path", str(copied), "--trainer.max_epochs", "3", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert content(copied) == before


def test_a_new_run_that_is_refused_leaves_no_folder(photos: Path):
    words = ["--data.root", "photos", "--trainer.val_check_interval", "100", *TINY, *CPU]
    assert main(["fit", *words]) == 2
    assert not Path("runs/photos").exists()


def test_the_config_of_a_resumed_run_begins_another_from_its_start(fitted: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["fit", "--ckpt_path", str(fitted), "--trainer.max_epochs", "2"]) == 0
    assert yaml.safe_load((fitted / "config.yaml").read_text())["ckpt_path"] is None
    capsys.readouterr()
    assert main(["fit", "--config", str(fitted / "config.yaml"), "--run.name", "new"]) == 0
    told = capsys.readouterr().out
    assert "going on from" not in told
    assert "epoch 1/2" in told


@pytest.mark.slow
def test_going_on_with_a_finished_run_says_what_to_raise(fitted: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["fit", "--ckpt_path", str(fitted)]) == 0
    told = capsys.readouterr().out
    line = next(line for line in told.splitlines() if line.startswith("nothing was trained: the run had its 1 epoch"))
    command = line.partition("for more, ")[2]
    assert main(shlex.split(command)[1:]) == 0
    assert "done: 2 epochs" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["it's", "-x-", *(pytest.param(name, marks=pytest.mark.slow) for name in ("my run", "a&b", "$HOME"))]
)
def test_the_next_command_can_be_pasted(photos: Path, name: str, capsys: pytest.CaptureFixture[str]):
    words = ["--data.root", "photos", "--data.batch_size", "8", "--trainer.max_epochs", "1", *TINY, *CPU]
    assert main(["fit", *words, f"--run.name={name}"]) == 0
    (told,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("next: ")]
    assert main(shlex.split(told.removeprefix("next: "))[1:]) == 0


def test_without_a_checkpoint_no_command_is_printed_that_needs_one(photos: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["fit", "--data.root", "photos", "--trainer.max_epochs", "0", *TINY, *CPU]) == 0
    assert ("next: " in capsys.readouterr().out) == os.path.isdir("runs/photos/checkpoints")


def test_early_stopping_says_why_the_run_ended(photos: Path, capsys: pytest.CaptureFixture[str]):
    stopping = ["--trainer.callbacks", "EarlyStopping", "--trainer.callbacks.monitor", "val/loss"]
    stopping += ["--trainer.callbacks.patience", "1", "--trainer.callbacks.min_delta", "10"]
    words = ["--data.root", "photos", "--data.batch_size", "8", "--trainer.max_epochs", "9", *TINY, *CPU]
    assert main(["fit", *words, *stopping]) == 0
    assert "; stopped early: val/loss was no better for 1 epoch\n" in capsys.readouterr().out


@pytest.mark.slow
def test_a_line_of_an_epoch_without_validation_has_no_old_figures(photos: Path, capsys: pytest.CaptureFixture[str]):
    words = ["--data.root", "photos", "--data.batch_size", "8", "--trainer.max_epochs", "3", *TINY, *CPU]
    assert main(["fit", *words, "--trainer.check_val_every_n_epoch", "2"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch ")]
    assert [("val/loss" in line) for line in lines] == [False, True, False]
