"""best.ckpt stays the best of the run, wherever the run lies, and equals are decided by val/loss."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from scipy.stats import binomtest

from tests.conftest import CPU, TINY
from vitcli.__main__ import main
from vitcli.train.safety.best import BestCheckpoint, direction, fewer_beyond_chance


def best_step(run: Path) -> int:
    return int(torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)["global_step"])


@pytest.fixture
def first_is_best(photos: Path) -> Path:
    # the loss falls, so the first epoch stays the one with the highest
    words = ["fit", "--data.root", str(photos), "--data.batch_size", "8", "--trainer.max_epochs", "2", *TINY, *CPU]
    assert main([*words, "--checkpoint.monitor", "train/loss", "--checkpoint.mode", "max"]) == 0
    run = Path("runs/photos")
    assert best_step(run) == 3
    return run


def go_on(ckpt_path: str) -> None:
    assert main(["fit", "--ckpt_path", ckpt_path, "--trainer.max_epochs", "4"]) == 0


def test_a_resume_by_an_absolute_path_keeps_the_best(first_is_best: Path):
    go_on(str(first_is_best.absolute()))
    assert best_step(first_is_best) == 3


def test_a_resume_from_another_folder_keeps_the_best(
    first_is_best: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run = first_is_best.absolute()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    go_on(os.path.relpath(run))
    assert best_step(run) == 3


@pytest.mark.parametrize("spelt", ["./runs/photos", "runs/../runs/photos/checkpoints/last.ckpt"])
def test_a_resume_by_another_spelling_keeps_the_best(first_is_best: Path, spelt: str):
    go_on(spelt)
    assert best_step(first_is_best) == 3


def test_a_best_that_is_gone_is_told_and_chosen_anew(first_is_best: Path, capsys: pytest.CaptureFixture[str]):
    (first_is_best / "checkpoints" / "best.ckpt").unlink()
    go_on(str(first_is_best))
    assert "runs/photos/checkpoints/best.ckpt: is gone; what is best is chosen anew" in capsys.readouterr().err
    # of the two epochs that were left, the first
    assert best_step(first_is_best) == 9


def test_scores_of_other_images_are_not_compared(
    first_is_best: Path, write_photos: Callable[..., None], capsys: pytest.CaptureFixture[str]
):
    for split, name in itertools.product(("train", "val"), ("circle", "square")):
        write_photos(*(f"others/{split}/{name}/{number}.jpg" for number in range(6)), size=(20, 20))
    words = ["--data.root", "others", "--trainer.max_epochs", "4", "--stop.patience", "1", "--stop.min_delta", "9"]
    assert main(["fit", "--ckpt_path", str(first_is_best), *words]) == 0
    told = "runs/photos/checkpoints/best.ckpt: was chosen by other images than these; what is best is chosen anew"
    assert told in capsys.readouterr().err
    assert best_step(first_is_best) > 6


def test_a_checkpoint_callback_of_lightnings_beside_it_does_not_take_its_place_in_the_summary(
    photos: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["fit", "--data.root", str(photos), "--trainer.max_epochs", "1", *TINY, *CPU]
    assert main([*words, "--trainer.callbacks", "ModelCheckpoint"]) == 0
    assert ", best val/accuracy " in capsys.readouterr().out


def test_a_resume_of_a_run_that_was_renamed_keeps_the_best(first_is_best: Path):
    renamed = shutil.move(first_is_best, "runs/renamed")
    go_on(renamed)
    assert best_step(Path(renamed)) == 3


def test_a_run_that_begins_with_a_checkpoint_of_another_has_a_best_of_its_own(first_is_best: Path):
    words = ["--run.name", "branch", "--trainer.max_epochs", "4"]
    assert main(["fit", "--ckpt_path", str(first_is_best), *words]) == 0
    assert best_step(Path("runs/branch")) > 6
    assert best_step(first_is_best) == 3


@pytest.mark.parametrize(
    ("monitor", "expected"),
    [("val/loss", "min"), ("train/loss", "min"), ("val/accuracy", "max"), ("val/auroc", "max"), (None, "max")],
)
def test_the_mode_follows_the_metric(monitor: str | None, expected: str):
    assert direction(monitor) == expected
    assert BestCheckpoint(monitor=monitor).mode == expected
    assert BestCheckpoint(monitor=monitor, mode="min").mode == "min"


class Strategy:
    def reduce_boolean_decision(self, decision: bool, all: bool = True) -> bool:  # noqa: A002
        return decision


class Trainer:
    """What BestCheckpoint asks of a trainer."""

    strategy = Strategy()

    def __init__(self, loss: float) -> None:
        self.callback_metrics = {"val/loss": torch.tensor(loss)}


@pytest.mark.parametrize(("score", "loss", "better"), [(0.5, 0.3, True), (0.5, 0.5, False), (0.4, 0.1, False)])
def test_of_equal_scores_the_one_with_the_lower_loss_is_the_best(score: float, loss: float, better: bool):
    best = BestCheckpoint()
    best.best_k_models = {"best.ckpt": torch.tensor(0.5)}
    best.kth_best_model_path = "best.ckpt"
    best.losses = {"best.ckpt": 0.4}
    assert best.check_monitor_top_k(Trainer(loss), torch.tensor(score)) is better


def test_of_a_run_whose_scores_tie_the_best_is_the_epoch_of_the_lowest_loss(photos: Path):
    words = ["fit", "--data.root", str(photos), "--data.batch_size", "8", *TINY, *CPU, "--model.optimizer.lr", "1e-6"]
    # a rate at which no prediction changes
    assert main([*words, "--trainer.max_epochs", "3"]) == 0
    rows = [row.split(",") for row in Path("runs/photos/metrics.csv").read_text().splitlines()]
    step, loss, accuracy = (rows[0].index(name) for name in ("step", "val/loss", "val/accuracy"))
    val = [row for row in rows[1:] if row[loss]]
    assert len({row[accuracy] for row in val}) == 1
    lowest = min(val, key=lambda row: float(row[loss]))
    assert best_step(Path("runs/photos")) == int(lowest[step]) + 1


@pytest.mark.parametrize(
    ("errors", "before"), [(0, 1), (0, 2), (0, 3), (1, 3), (1, 4), (12, 23), (11, 19), (5, 5), (7, 2)]
)
def test_fewer_errors_are_beyond_chance_as_the_sign_test_of_scipy_says(errors: int, before: int):
    by_chance = binomtest(errors, errors + before, 0.5, alternative="less").pvalue
    assert fewer_beyond_chance(errors, before) == (errors < before and by_chance <= 0.3)
    assert fewer_beyond_chance(errors, before) == ((errors, before) in {(0, 2), (0, 3), (1, 4), (12, 23), (11, 19)})
