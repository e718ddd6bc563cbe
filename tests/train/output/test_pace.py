"""Pace: the first batch of an epoch and validations are left out, a step may have several batches."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from vitcli.train.output import pace as module
from vitcli.train.output.pace import Pace


def test_time_is_taken_between_the_batches_of_an_epoch(monkeypatch: pytest.MonkeyPatch):
    # one batch, one second later another; a validation; then two batches, three seconds apart
    clock = iter([10.0, 11.0, 50.0, 53.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    trainer: Any = SimpleNamespace(accumulate_grad_batches=2, world_size=4)
    batch = {"label": [0] * 8}
    pace = Pace()
    assert pace.seconds_a_step is None
    assert pace.images_a_second is None
    pace.on_train_start(trainer, None)  # type: ignore[arg-type]
    for number in range(4):
        if number == 2:
            pace.on_validation_start(trainer, None)  # type: ignore[arg-type]
        pace.on_train_batch_end(trainer, None, None, batch, number)  # type: ignore[arg-type]
    # two batches were timed, of two seconds in the mean; a step has two
    assert pace.seconds_a_step == pytest.approx(4.0)
    assert pace.images_a_second == pytest.approx(2 * 8 * 4 / 4.0)


def test_the_peak_of_memory_is_that_of_this_process():
    assert 10_000_000 < Pace().peak_memory_bytes < 10**12
