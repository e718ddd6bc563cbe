"""A checkpoint is due after a minute and then every so many minutes, at the same step in every process."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import CPU, TINY
from tests.warm import Warm
from vitcli.train.safety.timed import Timed

FIT = ["fit", "--data", "ShapesData", "--data.train", "4000", "--data.val", "8", "--data.batch_size", "4", *TINY, *CPU]


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


class Strategy:
    """What the first process tells the others."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def broadcast(self, value: Any) -> Any:
        self.told.append(value)
        return value


class Trainer:
    def __init__(self, processes: int) -> None:
        self.world_size = processes
        self.strategy = Strategy()


def due_at(clock: Clock, trainer: Trainer, minutes: float, seconds: int) -> list[int]:
    """The seconds after the beginning at which a checkpoint is written, at four steps a second."""
    timed = Timed(minutes)
    timed.begin()
    begin, found = clock.now, []
    for _ in range(seconds * 4):
        clock.now += 0.25
        if timed.is_due(trainer):  # type: ignore[arg-type]
            timed.saved()
            found.append(round(clock.now - begin))
    return found


def test_one_process_saves_after_a_minute_and_then_every_so_many(monkeypatch: pytest.MonkeyPatch):
    clock = Clock(monkeypatch)
    assert due_at(clock, Trainer(1), 10, 2000) == [60, 660, 1260, 1860]
    assert due_at(clock, Trainer(1), 0.5, 100) == [30, 60, 90]
    assert due_at(clock, Trainer(1), 0, 2000) == []


def test_several_processes_ask_the_first_one_a_few_times_only(monkeypatch: pytest.MonkeyPatch):
    clock, trainer = Clock(monkeypatch), Trainer(2)
    found = due_at(clock, trainer, 10, 2000)
    assert found == pytest.approx([60, 660, 1260, 1860], abs=3)
    # of 8000 steps
    assert len(trainer.strategy.told) < 60


def test_nothing_is_due_while_the_one_before_is_being_written(monkeypatch: pytest.MonkeyPatch):
    clock = Clock(monkeypatch)
    for trainer in (Trainer(1), Trainer(2)):
        timed = Timed(1)
        timed.begin()
        clock.now += 100
        assert not any(timed.is_due(trainer, is_busy=True) for _ in range(30))  # type: ignore[arg-type]
        assert any(timed.is_due(trainer) for _ in range(30))  # type: ignore[arg-type]


def test_a_run_that_is_killed_in_its_first_epoch_has_a_checkpoint_by_then(here: Path, programs: Warm):
    """save_minutes, and keep: the older ones lie beside it."""
    more = ["--run.save_minutes", "0.002", "--run.keep", "2", "--run.name", "r"]
    last = Path("runs/r/checkpoints/last.ckpt")
    running = programs.start(*FIT, *more, "--trainer.max_epochs", "1")
    while len(list(last.parent.glob("last-*.ckpt"))) < 3:
        assert running.runs(0.01), running.err
    running.end()
    running.done()
    steps = sorted(int(path.stem.partition("-")[2]) for path in last.parent.glob("last-*.ckpt"))
    held = torch.load(last, weights_only=True)
    assert held["epoch"] == 0
    assert held["global_step"] >= steps[-1] > steps[0] > 0
    assert len(steps) in (2, 3)
    for step in steps:
        assert torch.load(last.with_name(f"last-{step}.ckpt"), weights_only=True)["global_step"] == step
