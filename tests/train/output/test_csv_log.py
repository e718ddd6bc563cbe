from __future__ import annotations

import csv
from pathlib import Path

from vitcli.train.output.csv_log import MetricsCsv


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_rows_are_there_as_soon_as_they_are_logged(tmp_path: Path):
    log = MetricsCsv(tmp_path / "metrics.csv")
    log.log_metrics({"train/loss": 0.5, "epoch": 0}, step=3)
    assert rows(tmp_path / "metrics.csv") == [{"step": "3", "epoch": "0", "train/loss": "0.5"}]
    log.log_metrics({"val/loss": 0.25, "epoch": 0}, step=3)
    assert rows(tmp_path / "metrics.csv")[1] == {"step": "3", "epoch": "0", "train/loss": "", "val/loss": "0.25"}


def test_a_resumed_run_keeps_the_rows_that_its_checkpoint_counts(tmp_path: Path):
    path = tmp_path / "metrics.csv"
    first = MetricsCsv(path)
    for step in (0, 1, 1, 2):
        first.log_metrics({"loss": step / 2, "epoch": len(path.read_bytes()) if path.is_file() else 0}, step=step)
    assert first.rows == 4
    second = MetricsCsv(path)
    second.continue_from(3, 2)
    second.log_metrics({"loss": 9.0, "new": 1.0}, step=2)
    assert [(row["step"], row["loss"], row["new"]) for row in rows(path)] == [
        ("0", "0", ""),
        ("1", "0.5", ""),
        ("1", "0.5", ""),
        ("2", "9", "1"),
    ]


def test_of_a_checkpoint_that_counts_no_rows_those_before_its_step_are_kept(tmp_path: Path):
    path = tmp_path / "metrics.csv"
    first = MetricsCsv(path)
    for step in (0, 1, 2):
        first.log_metrics({"loss": step / 2}, step=step)
    # as many steps as the first two rows: rows count from 0
    second = MetricsCsv(path)
    second.continue_from(None, 2)
    assert [row["step"] for row in rows(path)] == ["0", "1"]


def test_a_row_is_not_written_twice(tmp_path: Path):
    log = MetricsCsv(tmp_path / "metrics.csv")
    for _ in range(2):
        log.log_metrics({"train/loss": 0.5, "epoch": 0}, step=3)
    log.log_metrics({"val/loss": 0.5, "epoch": 0}, step=3)
    assert len(rows(tmp_path / "metrics.csv")) == log.rows == 2


def test_what_a_loss_of_power_leaves_at_the_end_is_no_row(tmp_path: Path):
    path = tmp_path / "metrics.csv"
    first = MetricsCsv(path)
    for step in (0, 1):
        first.log_metrics({"loss": step / 2}, step=step)
    with path.open("ab") as file:
        file.write(b"2,0,0." + bytes(4096))
    second = MetricsCsv(path)
    second.continue_from(5, 9)
    assert [row["step"] for row in rows(path)] == ["0", "1"]
    assert b"\0" not in path.read_bytes()
