"""A training that gets no better ends early, says why, stays ended when it is resumed, and goes on if it is to."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.conftest import CPU, TINY
from tests.test_cli import press_ctrl_c_at
from vitcli.__main__ import main
from vitcli.errors import ConfigError
from vitcli.train.stop import Stop, StopOptions

FIT = ["fit", "--data.root", "photos", "--data.batch_size", "8", *TINY, *CPU]
# a gain that no loss makes, so that the first validation is the best
HOPELESS = ["--stop.min_delta", "9", "--trainer.max_epochs", "9"]


def load(run: str) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(f"runs/{run}/checkpoints/last.ckpt", weights_only=True)
    return content


def same(one: Any, other: Any) -> bool:
    """Whether two checkpoints hold the same weights, state of the optimizer, and count."""
    tensors = zip(one["state_dict"].values(), other["state_dict"].values(), strict=True)
    moments = [content["optimizer_states"][0]["state"] for content in (one, other)]
    return (
        all(torch.equal(*pair) for pair in tensors)
        and all(torch.equal(moments[0][key]["exp_avg"], moments[1][key]["exp_avg"]) for key in moments[0])
        and one["callbacks"]["Stop"] == other["callbacks"]["Stop"]
    )


@pytest.mark.slow
@pytest.mark.usefixtures("photos")
def test_a_run_that_stopped_is_finished_until_it_is_given_more_patience(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*FIT, *HOPELESS, "--stop.patience", "2", "--run.name", "r"]) == 0
    reason = "; stopped early: val/loss never fell below 0.69"
    out = capsys.readouterr().out
    assert f"done: 3 epochs, 9 steps, best val/accuracy 0.5000{reason}" in out
    assert " by more than 9 in 2 validations\n" in out
    stopped = load("r")
    assert main(["fit", "--ckpt_path", "runs/r", "--trainer.max_epochs", "12"]) == 0
    out = capsys.readouterr().out
    assert f"done: 3 epochs, 9 steps, best val/accuracy 0.5000{reason}" in out
    assert "nothing was trained: the run had stopped early after 3 epochs; for more, vitcli fit" in out
    assert "--ckpt_path runs/r --stop.patience 4\n" in out
    assert same(load("r"), stopped)
    # as if it had never stopped
    assert main(["fit", "--ckpt_path", "runs/r", "--trainer.max_epochs", "9", "--stop.patience", "4"]) == 0
    assert "changed: stop.patience 2 -> 4\n" in capsys.readouterr().out
    assert main([*FIT, *HOPELESS, "--stop.patience", "4", "--run.name", "straight"]) == 0
    assert load("r")["global_step"] == 15
    assert same(load("r"), load("straight"))


@pytest.mark.slow
@pytest.mark.usefixtures("photos")
def test_the_count_survives_a_resume_within_an_epoch(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*FIT, *HOPELESS, "--stop.patience", "4", "--trainer.val_check_interval", "2", "--data.batch_size", "6"]
    # validations after steps 2, 4; 6, 8; 10, the fourth that is no better: the epoch ends with step 12
    with monkeypatch.context() as patch:
        press_ctrl_c_at(7, patch)
        assert main([*words, "--run.name", "parts"]) == 130
    assert load("parts")["callbacks"]["Stop"]["count"] == 2
    assert main(["fit", "--ckpt_path", "runs/parts"]) == 0
    assert "done: 3 epochs, 12 steps, " in capsys.readouterr().out


@pytest.mark.usefixtures("photos")
def test_of_a_metric_of_training_epochs_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--stop.monitor", "train/accuracy", "--stop.patience", "1", "--stop.min_delta", "1"]
    assert main([*FIT, *words, "--trainer.max_epochs", "5", "--trainer.limit_val_batches", "0"]) == 0
    out = capsys.readouterr().out
    assert "done: 2 epochs, 6 steps; stopped early: train/accuracy never rose above 0." in out
    assert " by more than 1 in 1 epoch\n" in out


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--stop.patience", "2", "--stop.monitor", "val/acc"], "stop.monitor val/acc: there is no such metric; did y"),
        (["--stop.monitor", "val/auroc"], "stop.monitor val/auroc: acts not beside stop.patience null, and stop.pati"),
    ],
    ids=lambda words: words[-2] if isinstance(words, list) else "",
)
def test_what_cannot_stop_a_training_is_one_line(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*FIT, "--trainer.max_epochs", "1", *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"vitcli fit: error: {told}")
    assert said.count("\n") == 1
    assert not Path("runs/photos").exists()


def test_no_patience_at_all_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^stop\.patience 0: below 1; 5 is usual, and null never stops early$"):
        StopOptions(0)


@pytest.mark.parametrize("value", [-1.0, math.inf, math.nan])
def test_a_margin_that_is_none_is_refused(value: float) -> None:
    with pytest.raises(ConfigError, match=rf"^stop\.min_delta {value}: must be 0 or a positive number$"):
        StopOptions(3, min_delta=value)


class Trainer:
    """What Stop asks of a trainer."""

    def __init__(self, epochs: int = 0, least: int = 0) -> None:
        self.callback_metrics: dict[str, torch.Tensor] = {}
        self.strategy = SimpleNamespace(broadcast=lambda value: value)
        self.state = SimpleNamespace(fn="fit")
        self.sanity_checking = self.should_stop = False
        self.global_step = 0
        self.min_epochs, self.min_steps = least, None


def counts(options: StopOptions, values: list[float]) -> list[int]:
    stop, trainer, found = Stop(options), Trainer(), []
    for value in values:
        trainer.callback_metrics[options.monitor] = torch.tensor(value)
        stop.on_validation_end(trainer, None)  # type: ignore[arg-type]
        found.append(stop.count)
    return found


@pytest.mark.parametrize(
    ("monitor", "margin", "values", "expected"),
    [
        ("val/loss", 0.0, [3, 2, 2, 2.5, 1], [0, 0, 1, 2, 0]),
        ("val/loss", 0.5, [3, 2.75, 2.5, 2.25], [0, 1, 2, 0]),
        ("val/accuracy", 0.0, [0.5, 0.25, 0.5, 0.75], [0, 1, 2, 0]),
        ("val/accuracy", 0.25, [0.25, 0.5, 0.625], [0, 1, 0]),
        # what is no number is no better, also where it comes first
        ("val/loss", 0.0, [math.nan, math.nan, 5, math.nan, 4], [1, 2, 0, 1, 0]),
        ("val/loss", 0.0, [math.inf, math.inf, 5], [0, 1, 0]),
    ],
)
def test_a_value_is_better_by_more_than_the_margin(
    monitor: str, margin: float, values: list[float], expected: list[int]
) -> None:
    assert counts(StopOptions(3, monitor, margin), values) == expected


def test_another_metric_is_counted_anew() -> None:
    before = Stop(StopOptions(3, "val/loss"))
    before.best, before.count = 0.5, 2
    same_metric, other, off = Stop(StopOptions(9)), Stop(StopOptions(3, "val/auroc")), Stop(StopOptions())
    for stop in (same_metric, other):
        stop.load_state_dict(before.state_dict())
    assert (same_metric.best, same_metric.count) == (0.5, 2)
    assert (other.best, other.count) == (None, 0)
    assert off.state_dict() == {}
