"""The objective is read from metrics.csv while it grows: whole rows alone, in their order."""

from __future__ import annotations

import math
from pathlib import Path

from vitcli.search.progress import best_of, reached, scores


def test_only_whole_rows_count_and_the_last_one_is_waited_for(tmp_path: Path):
    file = tmp_path / "metrics.csv"
    assert scores(file, "val/accuracy") == []
    rows = "step,epoch,train/loss,val/accuracy\n10,0,0.7,\n20,0,,0.5\n30,1,0.6,\n40,1,,0.9"
    file.write_text(rows)
    assert scores(file, "val/accuracy") == [0.5], "0.9 may be the beginning of 0.975"
    file.write_text(f"{rows}75\n60,2,,nan\n")
    assert scores(file, "val/accuracy")[:2] == [0.5, 0.975]
    assert math.isnan(scores(file, "val/accuracy")[2])
    assert scores(file, "train/loss") == [0.7, 0.6]
    assert scores(file, "val/loss") == []


def test_the_best_is_the_lowest_or_the_highest_number():
    assert best_of([0.5, math.nan, 0.75, 0.25], lowest=False) == 0.75
    assert best_of([0.5, math.nan, 0.75, 0.25], lowest=True) == 0.25
    assert best_of([math.nan, math.inf], lowest=True) is None


def test_what_best_ckpt_reaches_is_what_the_run_says_of_it(tmp_path: Path):
    file = tmp_path / "finished.json"
    assert reached(file, "val/accuracy") is None
    file.write_text('{"step": 3, "best": {"val/accuracy": 0.5}}')
    assert reached(file, "val/accuracy") == 0.5
    for content in ("{", "[]", "{}", '{"best": {"val/loss": 1}}', '{"best": {"val/accuracy": null}}'):
        file.write_text(content)
        assert reached(file, "val/accuracy") is None
