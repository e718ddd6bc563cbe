"""metrics.csv as curves: where a row stands in epochs, and which epoch is the best."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitcli.report.curves import read_curves

METRICS = """step,epoch,val/loss,val/accuracy,train/loss,train/lr
4,0,,,,0.1
9,0,0.9,0.50,,
9,0,,,1.0,0.2
14,1,,,,0.3
19,1,0.5,0.75,,
19,1,,,0.6,0.4
29,2,0.7,0.75,,
29,2,,,0.4,0.1
"""


@pytest.fixture
def metrics(tmp_path: Path) -> Path:
    file = tmp_path / "metrics.csv"
    file.write_text(METRICS)
    return file


def test_a_row_stands_at_the_end_of_its_epoch_and_a_step_within_it(metrics: Path):
    curves = read_curves(metrics, {})
    assert curves is not None
    assert curves.curves["val/loss"].epochs == (1.0, 2.0, 3.0)
    assert curves.curves["train/lr"].epochs == (0.5, 1.0, 1.5, 2.0, 3.0)
    assert curves.curves["train/lr"].values == (0.1, 0.2, 0.3, 0.4, 0.1)


def test_equal_scores_are_decided_by_val_loss_as_best_ckpt_is(metrics: Path):
    curves = read_curves(metrics, {})
    assert curves is not None
    assert curves.best == (2.0, 0.75)


@pytest.mark.parametrize("mode", ["auto", "min", None])
def test_the_lowest_of_a_loss_is_the_best(metrics: Path, mode: str | None):
    curves = read_curves(metrics, {"checkpoint": {"monitor": "val/loss", "mode": mode}})
    assert curves is not None
    assert (curves.monitor, curves.best) == ("val/loss", (2.0, 0.5))


def test_a_run_without_val_has_no_best_epoch(tmp_path: Path):
    file = tmp_path / "metrics.csv"
    file.write_text("step,epoch,train/loss\n9,0,1.0\n")
    curves = read_curves(file, {})
    assert curves is not None
    assert curves.best is None


@pytest.mark.parametrize("text", ["", "step,epoch\n", "step,epoch,train/loss\n1,0,\n", "\x00\x01"])
def test_a_file_with_nothing_in_it_is_no_curve(tmp_path: Path, text: str):
    file = tmp_path / "metrics.csv"
    file.write_text(text)
    assert read_curves(file, {}) is None
    assert read_curves(tmp_path / "missing.csv", {}) is None
