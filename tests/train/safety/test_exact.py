"""A run that was stopped or killed anywhere and resumed ends with the bytes of one that was not."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import CPU, TINY
from tests.train.safety.stopper import CODE
from tests.warm import Warm

EPOCHS = 3
WORDS = ["--data.root", "photos", "--data.batch_size", "4", "--trainer.log_every_n_steps", "1", *TINY, *CPU]
PLAIN: list[str] = []
BUSY = ["--trainer.accumulate_grad_batches", "2", "--trainer.val_check_interval", "2", "--data.augment.mixup", "0.4"]
BUSY += ["--ema.decay", "0.9", "--stop.patience", "50"]
BUSY += ["--model.net.stem", "conv", "--model.optimizer.matrices", "muon"]
# hook, its call: an epoch has 6 batches and, of 8 images, 2 of a validation
MOMENTS = {
    "before the first step": ("on_train_batch_start", 1),
    "midway": ("on_train_batch_end", 9),
    "last batch": ("on_train_batch_end", 6),
    "in validation": ("on_validation_batch_start", 2),
    "validated": ("on_validation_end", 2),
    "epoch's end": ("on_train_epoch_end", 2),
    "next epoch": ("on_train_epoch_start", 2),
    "end": ("on_train_end", 1),
}


def fit(programs: Warm, name: str, options: list[str]) -> None:
    ended = programs.run("fit", *WORDS, *options, "--trainer.max_epochs", EPOCHS, "--run.name", name)
    assert ended.returncode == 0, ended.stderr


def outcome(run: Path) -> dict[str, Any]:
    """What a run has reached, in all its bits."""
    found: dict[str, Any] = {}
    for name in ("last", "best"):
        content = torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)
        for key in ("state_dict", "optimizer_states", "lr_schedulers", "raw_state_dict"):
            _flatten(content.get(key), f"{name}.{key}", found)
        found[f"{name}.step"] = content["global_step"]
    for name in ("metrics.csv", "predictions.val.csv"):
        found[name] = (run / name).read_text()
    return found


def _flatten(value: Any, key: str, found: dict[str, Any]) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            _flatten(inner, f"{key}.{name}", found)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            _flatten(inner, f"{key}.{number}", found)
    else:
        found[key] = value.numpy().tobytes() if isinstance(value, torch.Tensor) else value


def differing(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return [key for key in one | other if one.get(key) != other.get(key)]


@pytest.fixture
def straight(programs: Warm, photos: Path, request: pytest.FixtureRequest) -> dict[str, Any]:
    """A run that was not stopped."""
    fit(programs, "straight", request.param)
    return outcome(Path("runs", "straight"))


def resumed(programs: Warm, name: str, options: list[str], hook: str, at: int, number: int) -> dict[str, Any]:
    """A run that got a signal at a moment, and was resumed."""
    words = ["fit", *WORDS, *options, "--trainer.max_epochs", EPOCHS, "--run.name", name]
    ended = programs.run(*words, code=CODE.format(hook=hook, at=at, number=int(number)))
    assert ended.returncode != 0, f"{name} was not stopped"
    last = Path("runs", name, "checkpoints", "last.ckpt")
    if last.is_file():
        again = programs.run("fit", "--ckpt_path", last.parents[1])
    else:
        # killed before there was anything to keep
        assert number == signal.SIGKILL
        again = programs.run(*words[:-1], f"{name}-again")
        name = f"{name}-again"
    assert again.returncode == 0, again.stderr
    return outcome(Path("runs", name))


@pytest.mark.parametrize(
    ("straight", "options", "moments"),
    [
        pytest.param(PLAIN, PLAIN, ["last batch", "in validation"], marks=pytest.mark.slow, id="plain"),
        pytest.param(BUSY, BUSY, ["midway", "in validation"], id="busy"),
    ],
    indirect=["straight"],
)
def test_a_run_that_was_stopped_anywhere_ends_as_one_that_was_not(
    straight: dict[str, Any], options: list[str], moments: list[str], programs: Warm
):
    for moment in moments:
        hook, at = MOMENTS[moment]
        assert differing(resumed(programs, moment, options, hook, at, signal.SIGTERM), straight) == [], moment


@pytest.mark.slow
@pytest.mark.usefixtures("photos")
def test_a_run_stopped_in_a_validation_and_behind_it_does_it_no_third_time(programs: Warm):
    options = ["--trainer.val_check_interval", "2"]
    fit(programs, "validated", options)
    words = ["fit", *WORDS, *options, "--trainer.max_epochs", EPOCHS, "--run.name", "twice", "--run.resume", "auto"]
    for hook in ("on_validation_batch_start", "on_validation_end"):
        ended = programs.run(*words, code=CODE.format(hook=hook, at=1, number=int(signal.SIGTERM)))
        assert ended.returncode == 143, ended.stderr
    assert programs.run(*words).returncode == 0
    assert differing(outcome(Path("runs", "twice")), outcome(Path("runs", "validated"))) == []
