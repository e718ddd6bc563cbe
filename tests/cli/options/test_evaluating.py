"""What is typed for validate, test and predict acts on them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.plugins.io import AsyncCheckpointIO

from tests.conftest import CPU
from vitcli.__main__ import main
from vitcli.cli.trainer.cli import Cli
from vitcli.run import Run
from vitcli.table.rows import read_rows
from vitcli.train.classifier import Classifier

VERBS = ("validate", "test", "predict")
STEPS = {"validate": "validation_step", "test": "test_step", "predict": "predict_step"}
LIMITS = {"validate": "limit_val_batches", "test": "limit_test_batches", "predict": "limit_predict_batches"}
# the word of the command line, and what comes of it in Lightning's hands
ARRIVES: dict[str, tuple[str, Any]] = {
    "accelerator": ("cpu", lambda trainer: type(trainer.accelerator).__name__ == "CPUAccelerator"),
    "strategy": ("ddp", lambda trainer: type(trainer.strategy).__name__ == "DDPStrategy"),
    "devices": ("2", lambda trainer: trainer.num_devices == 2),
    "num_nodes": ("2", lambda trainer: trainer.num_nodes == 2 and trainer.world_size == 4),
    "precision": ("64-true", lambda trainer: trainer.precision == "64-true"),
    "plugins": (
        "lightning.pytorch.plugins.io.AsyncCheckpointIO",
        lambda trainer: isinstance(trainer.strategy.checkpoint_io, AsyncCheckpointIO),
    ),
    "default_root_dir": ("elsewhere", lambda trainer: Path(trainer.default_root_dir).name == "elsewhere"),
    "callbacks": ("DeviceStatsMonitor", lambda trainer: "DeviceStatsMonitor" in str(trainer.callbacks)),
    "fast_dev_run": ("2", lambda trainer: trainer.limit_val_batches == trainer.limit_predict_batches == 2),
    "logger": ("CSVLogger", lambda trainer: "CSVLogger" in str(trainer.loggers)),
}
IDLE = {"predict": {"logger"}}


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    is_deterministic, benchmark = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    yield
    torch.use_deterministic_algorithms(is_deterministic)
    torch.backends.cudnn.benchmark = benchmark


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("verb", ["fit", *VERBS])
def test_what_is_said_of_the_machine_and_of_callbacks_is_done(
    copied: Path, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainers: list[Any] = []

    def execute(self: Cli) -> int:
        trainers.append(self.trainer)
        return 0

    monkeypatch.setattr(Cli, "execute", execute)
    typed = {name: value for name, (value, _) in ARRIVES.items() if name not in IDLE.get(verb, ())}
    words = [word for name, value in typed.items() for word in (f"--trainer.{name}", value)]
    words += ["--trainer.logger.save_dir", "logs"] if "logger" in typed else []
    assert main([verb, "--ckpt_path", str(copied), "--data.root", "photos", *words]) == 0
    assert [name for name in typed if not ARRIVES[name][1](trainers[0])] == []


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_said_of_the_trainer_acts_where_nothing_is_trained(
    copied: Path, verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[dict[str, Any]] = []
    step = getattr(Classifier, STEPS[verb])

    def watched(self: Classifier, batch: Any, batch_idx: int) -> torch.Tensor:
        seen.append(
            {
                "inference_mode": torch.is_inference_mode_enabled(),
                "deterministic": torch.are_deterministic_algorithms_enabled(),
                "benchmark": torch.backends.cudnn.benchmark,
                "enable_progress_bar": self.trainer.progress_bar_callback is not None,
                "profiler": type(getattr(self.trainer, "profiler", None)).__name__,
            }
        )
        return step(self, batch, batch_idx)  # type: ignore[no-any-return]

    monkeypatch.setattr(Classifier, STEPS[verb], watched)
    options = [
        f"{LIMITS[verb]}=1",
        "inference_mode=false",
        "deterministic=true",
        "benchmark=true",
        "enable_progress_bar=true",
    ]
    words = ["--data.root", "photos", "--data.batch_size", "3", "--seed_everything", "7", *CPU]
    words += [f"--trainer.{option}" for option in [*options, "profiler=simple"]]
    assert main([verb, "--ckpt_path", str(copied), *words]) == 0
    on = {"deterministic": True, "benchmark": True, "enable_progress_bar": True, "profiler": "SimpleProfiler"}
    assert seen == [{"inference_mode": False, **on}]
    assert torch.initial_seed() == 7


@pytest.mark.parametrize("verb", VERBS)
def test_weights_are_used_instead_of_a_checkpoint_and_a_run_goes_where_it_is_said(copied: Path, verb: str) -> None:
    words = ["--data.root", "photos", "--run.name", "used", "--run.dir", "others", *CPU]
    assert main([verb, "--weights", str(copied / "checkpoints/best.ckpt"), *words]) == 0
    run = Run(Path("others/used"))
    assert run.config(verb).is_file()
    if verb == "predict":
        assert len(list(read_rows(run.predictions(verb)))) == 39
    else:
        assert json.loads(run.scores(verb).read_text())["checkpoint"] == "None"


def test_a_logger_in_a_config_of_predict_is_told_to_have_nothing_to_log(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("logged.yaml").write_text("trainer: {logger: {class_path: CSVLogger, init_args: {save_dir: logs}}}")
    words = ["--config", "logged.yaml", "--data.root", "photos/test", *CPU]
    assert main(["predict", "--ckpt_path", str(copied), *words]) == 0
    assert "trainer.logger CSVLogger: predict reaches no score that it could log\n" in capsys.readouterr().out
    assert not Path("logs").exists()
