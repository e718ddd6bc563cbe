"""Threads: the number of cores, and a map over a thread pool in chunks, as each task submitted waits for the GIL."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# at least so many chunks for each thread, so that none waits long for the last one
TURNS = 4


def map_some(
    pool: Executor, threads: int, function: Callable[[Item], Result], items: Sequence[Item], most: int = 16
) -> Iterator[Result]:
    """What ``map(function, items)`` gives, in its order, by the threads of a pool.

    Args:
        pool: The threads; all items are submitted before the first result is asked for.
        threads: How many it has.
        function: What is done with an item.
        items: All of them.
        most: How many a thread is given at once, at most.
    """
    size = max(1, min(most, len(items) // (TURNS * threads)))
    parts = [items[start : start + size] for start in range(0, len(items), size)]
    return itertools.chain.from_iterable(pool.map(lambda part: list(map(function, part)), parts))


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
