"""Let a CPU's malloc keep what a layer frees for the next one, instead of returning it to the system each time."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

# the largest block that glibc can keep; larger ones are mapped anew, page by page, each time
POOL_BYTES = 2**25
# how much free memory it may hold back in all
HELD_BYTES = 2**31 - 1
# of <malloc.h>
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


@cache
def keep_freed_blocks() -> None:
    """Raise glibc's thresholds, once in a process; nothing where there is no glibc.

    glibc maps blocks above a threshold anew each time, and returns what is free at the end of its heap above another;
    both begin at 128 kB and follow the largest block that was freed so far. A net whose layers take a few MB each had
    every page of theirs given back and cleared again, layer by layer: the forward pass in bfloat16 ran at 584 instead
    of 1,000 images a second (docs/results.md, 2026-11-25).
    """
    if sys.platform != "linux" or not hasattr(libc := ctypes.CDLL(None), "mallopt"):
        return
    libc.mallopt(M_MMAP_THRESHOLD, POOL_BYTES)
    libc.mallopt(M_TRIM_THRESHOLD, HELD_BYTES)
