"""fit ends with table, numbers and report of val, test with those of the test; and they say what they wrote."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.conftest import TINY
from tests.report.test_write import words
from vitcli.__main__ import main
from vitcli.evaluate.as_json import from_json
from vitcli.table.rows import read_rows
from vitcli.weights.checkpoint import read_checkpoint

FIT = ["fit", "--data.root", "photos", "--data.batch_size", "8", *TINY, "--trainer.accelerator=cpu"]


def read(file: Path) -> dict[str, object]:
    """What a metrics.json holds."""
    return dict(json.loads(file.read_text()))


def test_fit_ends_with_table_numbers_and_report_of_its_best_epoch(photos: Path, capsys: pytest.CaptureFixture[str]):
    assert main([*FIT, "--trainer.max_epochs", "3", "--model.optimizer.lr", "3e-3"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[-2:] == ["report: runs/photos/report.html", "next: vitcli test --ckpt_path runs/photos"]
    run = Path("runs/photos")
    best = read_checkpoint(run / "checkpoints" / "best.ckpt")
    with (run / "metrics.csv").open() as lines:
        curve = {int(row["step"]): row for row in csv.DictReader(lines) if row.get("val/loss")}
    scores = read(run / "metrics.val.json")
    # the curves hold the epochs alone, and the table and the numbers are those of best.ckpt
    assert len(curve) == 3
    assert scores["step"] == best["global_step"]
    at_best = next(row for step, row in curve.items() if step in (best["global_step"], best["global_step"] - 1))
    assert scores["val/loss"] == pytest.approx(float(at_best["val/loss"]), rel=1e-5)
    rows = list(read_rows(run / "predictions.val.csv"))
    right = sum(row.label == row.predicted for row in rows)
    assert len(rows) == 8
    evaluation = from_json(scores["evaluation"])  # type: ignore[arg-type]
    assert evaluation.accuracy.value == right / 8 == scores["val/accuracy"]
    assert evaluation.calibrated is not None
    assert "of 8 val images are predicted right" in words(run / "report.html")
    assert read(run / "about.json")["steps"] == 9


def test_last_ckpt_holds_the_last_epoch_though_the_best_was_scored_after_it(photos: Path):
    grows_worse = ["--model.optimizer.lr", "1.0", "--trainer.max_epochs", "2", "--checkpoint.monitor", "train/lr"]
    assert main([*FIT, *grows_worse, "--report.write", "false"]) == 0
    run = Path("runs/photos")
    last, best = (read_checkpoint(run / "checkpoints" / f"{name}.ckpt") for name in ("last", "best"))
    assert last["global_step"] == 6
    assert not (run / "report.html").exists()
    assert read(run / "metrics.val.json")["step"] == best["global_step"]


def test_test_tells_intervals_and_uses_the_temperature_of_val(copied: Path, capsys: pytest.CaptureFixture[str]):
    quick = ["--trainer.accelerator", "cpu", "--report.write", "false"]
    assert main(["validate", "--ckpt_path", str(copied), *quick]) == 0
    told = dict(line.split(" ", 1) for line in capsys.readouterr().out.splitlines() if line.startswith("val/"))
    assert main(["test", "--ckpt_path", str(copied), *quick]) == 0
    val, test = (from_json(read(copied / f"metrics.{split}.json")["evaluation"]) for split in ("val", "test"))  # type: ignore[arg-type]
    ends = f"[{val.accuracy.low:.3f}, {val.accuracy.high:.3f}]"
    assert told["val/accuracy"] == f"{val.accuracy.value:.6f} {ends}"
    assert val.calibrated is not None
    assert test.calibrated is not None
    assert test.calibrated.temperature == val.calibrated.temperature
    assert not (copied / "report.html").exists()


@pytest.mark.slow
def test_predict_writes_a_report_where_it_is_asked_to(copied: Path):
    words_of_it = ["--data.root", "photos/test", "--trainer.accelerator", "cpu"]
    assert main(["predict", "--ckpt_path", str(copied), *words_of_it, "--report.write", "true"]) == 0
    assert "7 images" in words(copied / "report.predict" / "report.html")


@pytest.mark.parametrize(
    "without",
    [["--trainer.limit_val_batches", "0"], ["--trainer.fast_dev_run", "true"], ["--data.root", "photos/train"]],
)
def test_a_training_that_validates_nothing_writes_no_table(photos: Path, without: list[str]):
    more = ["--data.val_fraction", "0"] if "photos/train" in without else []
    assert main([*FIT, "--trainer.max_epochs", "1", "--run.name", "without", *without, *more]) == 0
    assert not list(Path("runs/without").glob("predictions*"))
    assert not Path("runs/without/report.html").exists()
