"""A run that only the time ends: the learning rate falls to its last value by then."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.conftest import CPU, TINY
from vitcli.__main__ import main

FIT = ["fit", "--data.root", "photos", "--data.batch_size", "4", *TINY, *CPU, "--trainer.log_every_n_steps", "1"]


@pytest.mark.slow
def test_a_run_of_two_seconds_ends_at_the_lowest_rate(photos: Path, capsys: pytest.CaptureFixture[str]):
    assert main([*FIT, "--trainer.max_time", "00:00:00:02"]) == 0
    assert "stopped by trainer.max_time" in capsys.readouterr().out
    with Path("runs/photos/metrics.csv").open(newline="") as file:
        rates = [float(row["train/lr"]) for row in csv.DictReader(file) if row["train/lr"]]
    highest = rates.index(max(rates))
    assert rates[: highest + 1] == sorted(rates[: highest + 1])
    assert rates[highest:] == sorted(rates[highest:], reverse=True)
    assert rates[-1] < 0.1 * max(rates)


def test_a_run_whose_time_is_up_names_the_time_as_what_to_raise(photos: Path, capsys: pytest.CaptureFixture[str]):
    words = [*FIT, "--trainer.max_epochs", "100000", "--run.resume", "auto"]
    assert main([*words, "--trainer.max_time", "00:00:00:01"]) == 0
    assert main([*words, "--trainer.max_time", "00:00:00:01"]) == 0
    assert "for more, raise trainer.max_epochs or trainer.max_time; next: " in capsys.readouterr().out
    assert main(["fit", "--ckpt_path", "runs/photos"]) == 0
    told = capsys.readouterr().out
    assert "nothing was trained: the run had used up its trainer.max_time; for more, vitcli fit --ckpt_path " in told
    assert "runs/photos --trainer.max_time 00:00:00:02\n" in told


def test_fewer_epochs_than_are_trained_already_are_refused(photos: Path, capsys: pytest.CaptureFixture[str]):
    assert main([*FIT, "--trainer.max_epochs", "2"]) == 0
    assert main(["fit", "--ckpt_path", "runs/photos", "--trainer.max_epochs", "1"]) == 2
    assert "trainer.max_epochs 1: the run has trained 2 already; say more, or leave it out\n" in capsys.readouterr().err


def test_a_run_that_nothing_ends_is_refused(photos: Path, capsys: pytest.CaptureFixture[str]):
    assert main([*FIT, "--trainer.max_epochs", "-1"]) == 2
    assert "trainer.max_epochs -1" in capsys.readouterr().err
