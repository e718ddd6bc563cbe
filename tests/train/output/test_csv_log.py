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


def test_a_resumed_run_keeps_the_rows_up_to_where_it_goes_on(tmp_path: Path):
    path = tmp_path / "metrics.csv"
    first = MetricsCsv(path)
    for step in (1, 2, 3):
        first.log_metrics({"loss": step / 2}, step=step)
    second = MetricsCsv(path)
    second.continue_from(2)
    second.log_metrics({"loss": 9.0, "new": 1.0}, step=3)
    assert [(row["step"], row["loss"], row["new"]) for row in rows(path)] == [
        ("1", "0.5", ""),
        ("2", "1", ""),
        ("3", "9", "1"),
    ]
