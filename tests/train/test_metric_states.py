"""What metrics have counted goes into a checkpoint and out of it, whatever the number of processes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torchmetrics import MeanMetric

from vitcli.train.metric_states import restore, states_of
from vitcli.train.metrics import collection, mean_loss


def gather(every: list[torch.Tensor], value: torch.Tensor) -> None:
    """As between two processes, the other of which has counted twice as much."""
    for number, one in enumerate(every, 1):
        one.copy_(number * value)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> tuple[MeanMetric, dict[str, Any]]:
    monkeypatch.setattr(torch.distributed, "all_gather", gather)
    metric = mean_loss()
    metric.update(torch.tensor([1.0, 2.0, 6.0]))
    return metric, states_of({"loss": metric}, 2)


def test_two_processes_take_each_their_own(counted: tuple[MeanMetric, dict[str, Any]]):
    metric, states = counted
    for rank, factor in ((0, 1), (1, 2)):
        other = mean_loss()
        restore({"loss": other}, states, rank, 2)
        assert torch.equal(other.mean_value, factor * metric.mean_value)
        assert torch.equal(other.weight, factor * metric.weight)
        assert other.update_called


@pytest.mark.parametrize("world", [1, 3])
def test_with_more_or_fewer_processes_the_first_takes_all(world: int, counted: tuple[MeanMetric, dict[str, Any]]):
    _, states = counted
    sums = 0.0
    for rank in range(world):
        other = mean_loss()
        restore({"loss": other}, states, rank, world)
        sums += float(other.weight)
        if rank == 0:
            assert float(other.compute()) == pytest.approx(3)
    assert sums == 9


def test_a_metric_that_keeps_all_probabilities_is_no_sum():
    metrics = {str(name): metric for name, metric in collection(2, "val").items()}
    with pytest.raises(TypeError, match="auroc"):
        states_of(metrics, 1)
