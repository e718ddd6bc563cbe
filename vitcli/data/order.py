"""In which order are samples seen, and by which process? A pure function of seed, epoch, rank and world."""

from __future__ import annotations

import numpy as np

# Where a sample is looked up: the epoch varies its augmentation, the position names it in the listing.
Key = tuple[int, int]


def training_order(count: int, seed: int, epoch: int) -> list[int]:
    """Every position below ``count`` once, shuffled; the same on every machine.

    Positions are sorted by the raw 64-bit words of Philox, a stream that NumPy guarantees between versions; it
    does not guarantee its own ``permutation``, nor torch its ``randperm``.

    Args:
        count: Number of samples.
        seed: Seed of the run.
        epoch: Epoch, from 0.
    """
    words = np.random.Philox(np.random.SeedSequence([seed, epoch])).random_raw(count)
    order: list[int] = np.argsort(words, kind="stable").tolist()
    return order


def training_batches(
    count: int, *, seed: int, epoch: int, batch_size: int, rank: int = 0, world: int = 1
) -> list[list[Key]]:
    """The batches of one process in one epoch, equally many for every process and none empty.

    The shuffled order is cut into global batches of ``batch_size * world`` samples, and each process takes its
    own slice of every one: the samples of a step depend on the global batch size alone. The last global batch is
    filled up to a multiple of ``world`` from the start of the order, because all processes must step together.

    Args:
        count: Number of samples.
        seed: Seed of the run.
        epoch: Epoch, from 0.
        batch_size: Samples in the batch of one process.
        rank: This process, from 0.
        world: Number of processes.
    """
    order = training_order(count, seed, epoch)
    batches = []
    for start in range(0, count, batch_size * world):
        share = order[start : start + batch_size * world]
        missing = -len(share) % world
        share += [order[i % count] for i in range(missing)]
        size = len(share) // world
        batches.append([(epoch, position) for position in share[rank * size : (rank + 1) * size]])
    return batches


def evaluation_order(count: int, rank: int = 0, world: int = 1) -> range:
    """The positions of one process: each sample is seen by exactly one process, so nothing is counted twice.

    Args:
        count: Number of samples.
        rank: This process, from 0.
        world: Number of processes; some have no samples where it exceeds ``count``.
    """
    return range(rank, count, world)


def evaluation_batches(count: int, *, batch_size: int, rank: int = 0, world: int = 1) -> list[list[Key]]:
    """The batches of one process, in order, without padding."""
    order = evaluation_order(count, rank, world)
    return [[(0, i) for i in order[start : start + batch_size]] for start in range(0, len(order), batch_size)]
