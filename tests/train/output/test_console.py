from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from tests.conftest import CPU, TINY
from vitcli.__main__ import main
from vitcli.train.output import console as progress
from vitcli.train.output.console import LossBar

FIT = ["fit", "--data.root", "photos", "--data.batch_size", "8", "--trainer.max_epochs", "2", *TINY, *CPU]


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize(("seconds", "values"), [(0.0, 6), (1000.0, 1)])
def test_the_bar_shows_the_loss_of_a_step_and_reads_it_now_and_then(
    seconds: float, values: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(progress, "READ_AFTER", seconds)
    metrics, shown = LossBar.get_metrics, []

    def note(self: LossBar, *rest: object) -> object:
        shown.append(metrics(self, *rest)["train/loss_step"])
        return metrics(self, *rest)

    monkeypatch.setattr(LossBar, "get_metrics", note)
    assert main([*FIT, "--trainer.enable_progress_bar", "true", "--trainer.log_every_n_steps", "1"]) == 0
    with Path("runs/photos/metrics.csv").open() as file:
        logged = [float(row["train/loss_step"]) for row in csv.DictReader(file) if row["train/loss_step"]]
    assert len(logged) == 6
    assert list(dict.fromkeys(shown)) == pytest.approx(logged[:values], abs=1e-4)
    drawn = re.findall(r"train/loss_step=([\d.]+)", capsys.readouterr().out)
    assert float(drawn[-1]) == pytest.approx(logged[values - 1], rel=0.01)


def test_names_of_unreadable_images_do_nothing_to_a_terminal(photos: Path, capsys: pytest.CaptureFixture[str]):
    (photos / "val/circle/a\x1b[2J\u202egpj.png").write_bytes(b"no picture")
    assert main([*FIT, "--data.on_error", "skip", "--data.max_errors", "1"]) == 0
    told = capsys.readouterr()
    assert "a\\x1b[2J\\u202egpj.png" in told.err + told.out
    assert not {"\x1b", "\u202e"} & set(told.err + told.out)
