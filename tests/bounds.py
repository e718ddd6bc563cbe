"""Bounds for a part of a test: of memory, and of work beside that of a task of known size."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def bounded(megabytes: int) -> Iterator[None]:
    """No more address space than that, beyond what the process has by now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + megabytes * 2**20, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def core_seconds(task: Callable[[], object]) -> float:
    """How long a core works at a task; another task is measured by it, on whatever machine and under coverage."""
    before = time.process_time()
    task()
    return time.process_time() - before
