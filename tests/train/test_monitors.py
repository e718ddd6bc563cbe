"""A metric that is never logged is refused before the first step, and no validation needs no best epoch."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import CPU, TINY
from vitcli.__main__ import main
from vitcli.errors import ConfigError
from vitcli.train.monitors import check_monitor, metric_names

FIT = ["fit", "--data.root", "photos", "--data.batch_size", "8", "--trainer.max_epochs", "1", *TINY, *CPU]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["--checkpoint.monitor", "val_loss"],
            "checkpoint.monitor val_loss: there is no such metric; did you mean val/",
        ),
        (["--checkpoint.monitor", "val/f1"], "checkpoint.monitor val/f1: there is no such metric; did you mean val/"),
        (
            ["--trainer.callbacks", "EarlyStopping", "--trainer.callbacks.monitor", "val_acc"],
            "trainer.callbacks EarlyStopping.monitor val_acc: there is no such metric; did you mean val/",
        ),
    ],
)
def test_a_monitor_that_is_not_there_is_one_line_and_leaves_nothing(
    photos: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str]
):
    assert main([*FIT, *words]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"vitcli fit: error: {told}")
    assert captured.err.count("\n") == 1
    assert "epoch 1/" not in captured.out
    assert not Path("runs/photos").exists()


def test_without_validation_images_there_is_no_advice_to_programmers_and_no_best(
    photos: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["--data.root", "photos/train", "--data.val_fraction", "0", "--data.test_fraction", "0"]
    assert main([*FIT, *words, "--run.name", "blind"]) == 0
    captured = capsys.readouterr()
    assert "HINT" not in captured.err + captured.out
    assert sorted(path.name for path in Path("runs/blind/checkpoints").iterdir()) == ["last.ckpt"]
    assert "next: vitcli test --ckpt_path runs/blind" in captured.out


def test_the_names_are_those_that_a_training_logs(copied: Path):
    header = (copied / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {*metric_names(2, "train"), *metric_names(2, "val")} <= set(header)


def test_a_name_that_is_like_none_lists_all():
    with pytest.raises(ConfigError, match=r"^checkpoint\.monitor xyz: there is no such metric; There are val/loss$"):
        check_monitor("checkpoint.monitor", "xyz", ["val/loss"])
