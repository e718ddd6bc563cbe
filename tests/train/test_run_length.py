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


def test_a_run_that_nothing_ends_is_refused(photos: Path, capsys: pytest.CaptureFixture[str]):
    assert main([*FIT, "--trainer.max_epochs", "-1"]) == 2
    assert "trainer.max_epochs -1" in capsys.readouterr().err
