"""Global batch: what a step of the optimizer sees is dealt out to as many processes as there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vitcli.data.batches.position import accumulated
from vitcli.names import counted
from vitcli.train.sizes.batch_size import split

if TYPE_CHECKING:
    import lightning.pytorch as pl

    from vitcli.data import ImageData


def deal_out(trainer: pl.Trainer, data: ImageData) -> list[str]:
    """Have as many batches summed up as keep ``data.global_batch`` with the processes that there are.

    Args:
        trainer: Knows the processes; is told how many batches make a step.
        data: Is told the size of a batch. One that is still to be found is dealt out when it is (FindSizes).

    Returns:
        A line that says so, where there is more than one batch.

    Raises:
        ConfigError: The batch cannot be dealt out evenly.
    """
    if data.global_batch is None or data.is_auto:
        return []
    size, summed = split(data.global_batch, data.batch_size, trainer.world_size)
    data.batch_size = size
    trainer.accumulate_grad_batches = summed
    if trainer.world_size * summed == 1:
        return []
    sums = f", {summed} summed up" if summed > 1 else ""
    return [f"data.global_batch {data.global_batch}: batches of {size} on {counted(trainer.world_size, 'rank')}{sums}"]


def changed_step(trainer: pl.Trainer, data: ImageData, saved: Mapping[str, Any]) -> list[str]:
    """A line if a step sees another number of images than when a checkpoint was written: each setting may be as it was.

    Args:
        trainer: Knows the processes.
        data: Knows the size of a batch.
        saved: Content of the checkpoint.
    """
    was = saved.get(type(data).__qualname__)
    if data.is_auto or not isinstance(was, Mapping) or "global_batch" not in was:
        return []
    before = int(was["global_batch"]) * int(was.get("accumulated", 1))
    today = data.batch_size * trainer.world_size * accumulated(trainer)
    if before == today:
        return []
    return [f"changed: images a step {before} -> {today}; data.global_batch {before} keeps them on any machines"]
