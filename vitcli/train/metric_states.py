"""Counts of metrics (torchmetrics states) in a checkpoint, those of each process, to go on counting from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.data import dim_zero_sum

UPDATES = "updates"


def states_of(metrics: Mapping[str, Metric], world: int) -> dict[str, dict[str, Any]]:
    """What each metric has counted, state by state as (processes, ...); every process has to ask at the same step.

    Args:
        metrics: By name; their states must be sums.
        world: Number of processes.

    Raises:
        TypeError: A state is no sum, such as a list of all probabilities.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, metric in metrics.items():
        states: dict[str, Any] = {UPDATES: metric._update_count}
        for key, reduction in metric._reductions.items():
            value = getattr(metric, key)
            if reduction is not dim_zero_sum or not isinstance(value, Tensor):
                raise TypeError(f"{name}.{key} is no sum, so that processes cannot go on from it")
            states[key] = _gathered(value.detach(), world)
        found[name] = states
    return found


def _gathered(value: Tensor, world: int) -> Tensor:
    """A copy of what each process has: (processes, ...)."""
    if world == 1:
        return value.clone()[None]
    every = [torch.empty_like(value) for _ in range(world)]
    torch.distributed.all_gather(every, value.contiguous())
    return torch.stack(every)


def restore(metrics: Mapping[str, Metric], states: Mapping[str, Mapping[str, Any]], rank: int, world: int) -> None:
    """Give metrics the counts of a checkpoint.

    As many processes as there were take each its own, for the sum of floats depends on their order. If there are more
    or fewer, the first takes all: in the end they are added up.

    Args:
        metrics: By name; one that the checkpoint does not know begins at nothing.
        states: What ``states_of`` found.
        rank: This process, from 0.
        world: Number of processes.
    """
    for name, metric in metrics.items():
        kept = states.get(name)
        if kept is None:
            continue
        metric._update_count = int(kept[UPDATES])
        metric._computed = None
        for key in metric._reductions:
            own, counted = getattr(metric, key), torch.as_tensor(kept[key])
            if len(counted) == world:
                value = counted[rank]
            else:
                value = counted.sum(dim=0) if rank == 0 else torch.zeros_like(counted[0])
            setattr(metric, key, value.to(device=own.device, dtype=own.dtype, copy=True))
