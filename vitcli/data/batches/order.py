"""Order of samples (shuffle and balanced samplers): a pure function of seed, epoch, rank and world size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vitcli.data.batches.plan import Batched as Batched
from vitcli.data.batches.plan import BatchKey as BatchKey
from vitcli.data.batches.plan import Order as Order
from vitcli.data.batches.plan import Spot as Spot
from vitcli.data.batches.plan import copies_of

Sampler = Literal["shuffle", "balanced"]
Plan = Sequence[BatchKey]


def shuffled(count: int, *seeds: int) -> NDArray[np.int64]:
    """Every number below ``count`` once, shuffled; the same on every machine.

    Numbers are sorted by the raw 64-bit words of Philox, a stream that NumPy guarantees between versions; it
    does not guarantee its own ``permutation``, nor torch its ``randperm``.
    """
    words = np.random.Philox(np.random.SeedSequence(list(seeds))).random_raw(count)
    return np.argsort(words, kind="stable")


def balanced(labels: NDArray[np.int64], seed: int, epoch: int) -> NDArray[np.int64]:
    """Positions of equally many samples of each class, in all about as many as there are samples, shuffled.

    The samples of a class come round after round, each round in another order, on through all epochs: in a large class
    every sample is shown before any is shown again, in a small one they are shown equally often.

    Args:
        labels: int64 (samples,).
        seed: Seed of the run.
        epoch: From 0.
    """
    names = np.unique(labels)
    share = -(-len(labels) // len(names))
    parts = []
    for name in names.tolist():
        members = np.flatnonzero(labels == name)
        first, last = epoch * share // len(members), ((epoch + 1) * share - 1) // len(members)
        rounds = [members[shuffled(len(members), seed, name, number)] for number in range(first, last + 1)]
        start = epoch * share - first * len(members)
        parts.append(np.concatenate(rounds)[start : start + share])
    chosen = np.concatenate(parts)
    return chosen[shuffled(len(chosen), seed, epoch)]


def training_order(
    labels: NDArray[np.int64],
    *,
    seed: int,
    epoch: int,
    sampler: Sampler = "shuffle",
    repeats: int = 1,
    same_each_epoch: bool = False,
) -> Order:
    """The samples of an epoch in their order.

    Args:
        labels: int64 (samples,).
        seed: Seed of the run.
        epoch: From 0.
        sampler: shuffle (each once) or balanced (as many of each class).
        repeats: How often each appears, one after the other; the epoch keeps its length.
        same_each_epoch: Whether every epoch has the order of the first one, so that its first batches are the same.
    """
    if not len(labels):
        return Order(np.zeros(0, dtype=np.int64))
    if same_each_epoch:
        epoch = 0
    order = balanced(labels, seed, epoch) if sampler == "balanced" else shuffled(len(labels), seed, epoch)
    if repeats > 1:
        order = np.repeat(order[: -(-len(order) // repeats)], repeats)[: len(order)]
    return Order(order, None if sampler == "shuffle" and repeats == 1 else copies_of(order))


def epoch_length(labels: NDArray[np.int64], sampler: Sampler = "shuffle") -> int:
    """How many samples an epoch shows."""
    if sampler == "shuffle" or not len(labels):
        return len(labels)
    classes = len(np.unique(labels))
    return -(-len(labels) // classes) * classes


def training_batches(
    order: Order, *, epoch: int, batch_size: int, rank: int = 0, world: int = 1, summed: int = 1
) -> Plan:
    """The batches of one process in one epoch, equally many for every process and none empty.

    The order is cut into steps of ``batch_size * world * summed`` samples, each of these into equal shares, and share
    ``number * world + rank`` is a batch: half as many processes that sum up twice as many batches step over the very
    same shares. The last step is filled up to a multiple of its shares from the start of the order, because all
    processes must step together, and a mean of unequal shares would not be that of their samples.

    Args:
        order: The samples of the epoch.
        epoch: From 0.
        batch_size: Samples in the batch of one process.
        rank: This process, from 0.
        world: Number of processes.
        summed: Batches of a process that make a step of the optimizer.
    """
    batches, numbers = [], []
    shares = world * summed
    for step, start in enumerate(range(0, len(order), batch_size * shares)):
        end = min(len(order), start + batch_size * shares)
        missing = -(end - start) % shares
        of_step = order[start:end]
        if missing:
            of_step = order[np.concatenate([np.arange(start, end), np.arange(missing) % len(order)])]
        size = len(of_step) // shares
        for one in range(summed):
            first = (one * world + rank) * size
            batches.append(of_step[first : first + size])
            numbers.append(step * summed + one)
    return Batched(epoch, batches, numbers)


def evaluation_order(count: int, rank: int = 0, world: int = 1) -> range:
    """The positions of one process: each sample is seen by exactly one process, so nothing is counted twice.

    Args:
        count: Number of samples.
        rank: This process, from 0.
        world: Number of processes; some have no samples where it exceeds ``count``.
    """
    return range(rank, count, world)


def evaluation_batches(
    count: int, *, batch_size: int, rank: int = 0, world: int = 1, done: NDArray[np.bool_] | None = None
) -> Plan:
    """The batches of one process, in order, without padding.

    What was left to do is dealt out anew, in whole batches: each holds the samples that it would have held, whichever
    process it now falls to. The samples of batches that were done in part, as after a change of the number of
    processes, make batches of their own.

    Args:
        count: Number of samples.
        batch_size: Samples in a batch.
        rank: This process, from 0.
        world: Number of processes.
        done: Samples that are left out (samples,).
    """
    if done is None or not done.any():
        return _keys(_cut(np.array(evaluation_order(count, rank, world), dtype=np.int64), batch_size))
    planned = [
        batch
        for process in range(world)
        for batch in _cut(np.array(evaluation_order(count, process, world), dtype=np.int64), batch_size)
    ]
    left = [batch[~done[batch]] for batch in planned]
    whole = [batch for batch, before in zip(left, planned, strict=True) if len(batch) == len(before)]
    parts = [batch for batch, before in zip(left, planned, strict=True) if 0 < len(batch) < len(before)]
    batches = whole + _cut(np.sort(np.concatenate(parts)), batch_size) if parts else whole
    return _keys(sorted(batches, key=lambda batch: int(batch[0]))[rank::world])


def _cut(order: NDArray[np.int64], batch_size: int) -> list[NDArray[np.int64]]:
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def _keys(batches: list[NDArray[np.int64]]) -> Plan:
    return Batched(0, [Order(batch) for batch in batches])
