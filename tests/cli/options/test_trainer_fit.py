"""What is typed of the Trainer acts on a real training."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger

from tests.test_cli import FIT
from vitcli.__main__ import main
from vitcli.cli.trainer.cli import Cli
from vitcli.data import ImageData
from vitcli.train.classifier import Classifier

# after two epochs, if nothing keeps it from that
STOPPING = [
    "--trainer.max_epochs",
    "9",
    "--trainer.callbacks",
    "EarlyStopping",
    "--trainer.callbacks.monitor",
    "val/loss",
]
STOPPING += ["--trainer.callbacks.patience", "1", "--trainer.callbacks.min_delta", "10"]


class Seen(NamedTuple):
    """What a training did."""

    trainer: Any
    calls: Counter[str]
    flags: set[str]
    out: str

    @property
    def rows(self) -> list[dict[str, str]]:
        with Path("runs/photos/metrics.csv").open() as file:
            return list(csv.DictReader(file))


# some settings, and what each of them does to one epoch of three batches, and one of validation
Case = dict[str, tuple[str, Callable[[Seen], bool]]]
CASES: tuple[tuple[list[str], Case], ...] = (
    (
        [],
        {
            "max_epochs": ("2", lambda seen: seen.trainer.current_epoch == 2),
            "check_val_every_n_epoch": ("2", lambda seen: seen.calls["validation_step"] == 2),
            "num_sanity_val_steps": ("1", lambda seen: seen.calls["validation_step"] == 2),
            "log_every_n_steps": ("1", lambda seen: sum(bool(row["train/loss_step"]) for row in seen.rows) == 4),
            "accumulate_grad_batches": ("2", lambda seen: seen.trainer.global_step == 4),
            "reload_dataloaders_every_n_epochs": ("1", lambda seen: seen.calls["train_dataloader"] == 2),
            "gradient_clip_val": ("1e-9", lambda seen: "clipped" in seen.flags),
            "gradient_clip_algorithm": ("value", lambda seen: "clipped by value" in seen.flags),
            "detect_anomaly": ("true", lambda seen: "detect_anomaly" in seen.flags),
            "deterministic": ("true", lambda seen: "deterministic" in seen.flags),
            "benchmark": ("true", lambda seen: "benchmark" in seen.flags),
            "enable_model_summary": ("true", lambda seen: "Total params" in seen.out),
            "enable_progress_bar": ("true", lambda seen: seen.trainer.progress_bar_callback is not None),
            "profiler": ("simple", lambda seen: "run_training_batch" in str(vars(seen.trainer.profiler))),
        },
    ),
    (
        [],
        {
            "max_steps": ("2", lambda seen: seen.trainer.global_step == 2),
            "val_check_interval": ("1", lambda seen: seen.calls["validation_step"] == 2),
        },
    ),
    (
        [],
        {
            "limit_train_batches": ("1", lambda seen: seen.calls["training_step"] == 1),
            "limit_val_batches": ("0", lambda seen: seen.calls["validation_step"] == 0),
        },
    ),
    ([], {"max_time": ("00:00:00:00", lambda seen: "0 steps; stopped by trainer.max_time" in seen.out)}),
    ([], {"overfit_batches": ("1", lambda seen: seen.calls["training_step"] == 1)}),
    ([], {"fast_dev_run": ("1", lambda seen: seen.calls["training_step"] == 1)}),
    (STOPPING, {"min_epochs": ("3", lambda seen: seen.trainer.current_epoch == 3)}),
    (STOPPING, {"min_steps": ("7", lambda seen: seen.trainer.current_epoch == 3)}),
)


def flags() -> set[str]:
    on = {
        "detect_anomaly": torch.is_anomaly_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "benchmark": torch.backends.cudnn.benchmark,
    }
    return {name for name, is_on in on.items() if is_on}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Seen]:
    """A function that trains with these words, and tells what was done."""
    calls: Counter[str] = Counter()
    on: set[str] = set()
    trainers: list[Trainer] = []

    def counted(kind: type, name: str) -> None:
        before = getattr(kind, name)

        def count(self: Any, *given: Any) -> Any:
            # a training ends with a validation of its best checkpoint
            calls[name] += isinstance(self, ImageData) or self.trainer.state.fn == "fit"
            on.update(flags())
            return before(self, *given)

        monkeypatch.setattr(kind, name, count)

    def clip(self: Classifier, *given: Any, **named: Any) -> None:
        clipped(self, *given, **named)
        each = torch.cat([parameter.grad.flatten() for parameter in self.parameters() if parameter.grad is not None])
        on.update({"clipped"} if each.abs().max() <= 1.001e-9 else ())
        on.update({"clipped by value"} if each.norm() > 2e-9 else ())

    def execute(self: Cli) -> int:
        trainers.append(self.trainer)
        return done(self)

    done, clipped = Cli.execute, Classifier.configure_gradient_clipping
    monkeypatch.setattr(Classifier, "configure_gradient_clipping", clip)
    for kind, name in ((Classifier, "training_step"), (Classifier, "validation_step"), (ImageData, "train_dataloader")):
        counted(kind, name)
    monkeypatch.setattr(Cli, "execute", execute)

    def train(*words: str) -> Seen:
        assert main([*FIT, *words]) == 0
        told = capfd.readouterr()
        return Seen(trainers[-1], calls, on, told.out + told.err)

    return train


@pytest.fixture(autouse=True)
def _as_before() -> Any:
    is_deterministic, benchmark = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    yield
    torch.use_deterministic_algorithms(is_deterministic)
    torch.backends.cudnn.benchmark = benchmark


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize(("words", "options"), CASES, ids=lambda case: "-".join(case) if isinstance(case, dict) else "")
def test_an_option_of_the_trainer_acts_on_a_training(
    words: list[str], options: Case, seen: Callable[..., Seen]
) -> None:
    told = seen(*words, *(f"--trainer.{name}={value}" for name, (value, _) in options.items()))
    assert [name for name, (_, is_so) in options.items() if not is_so(told)] == []


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize("logs", [True, False])
def test_a_logger_is_told_the_config_unless_enable_autolog_hparams_is_false(
    logs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(CSVLogger, "log_hyperparams", lambda self, config: told.append(config))
    words = ["--trainer.logger", "CSVLogger", "--trainer.logger.save_dir", "logs", "--trainer.max_steps", "1"]
    # a size that is found is told as the number found
    words += ["--data.batch_size", "auto", "--trainer.enable_autolog_hparams", str(logs).lower()]
    assert main([*FIT, *words]) == 0
    assert [config["trainer"]["max_steps"] for config in told] == [1] * logs
    assert all(config["data"]["init_args"]["batch_size"] > 1 for config in told)
