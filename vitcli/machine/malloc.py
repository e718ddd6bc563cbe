"""malloc: glibc keeps the memory that a layer frees for the next one, instead of returning it to the system."""

from __future__ import annotations

import ctypes
import resource
import sys
from functools import cache

# how much free memory malloc may keep in all
HELD_BYTES = 2**31 - 1
# larger blocks are mapped each for itself where addresses are limited
MAPPED_BYTES = 2**20
# constants of <malloc.h>
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4


def return_freed_blocks() -> None:
    """Give back to the system what glibc keeps at the end of its heap, and the free pages within."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


@cache
def keep_freed_blocks() -> None:
    """Take all blocks from glibc's heap and do not trim it, once in a process; nothing where there is no glibc.

    glibc maps blocks above a threshold anew each time, and returns what is free at the end of its heap above another;
    both begin at 128 kB and follow the largest block that was freed so far, up to 32 MB. A net whose layers take a few
    MB each had all their pages returned and zeroed again, layer by layer: the forward pass in bfloat16 ran at 584
    instead of 1,000 images a second. A batch of 64 images of 224 px in float32, 38 MB, was mapped anew for every step,
    which took 9 ms of its 140 (docs/lab/2026-11-25.md).

    Under a limit on addresses (``ulimit -v``) it is the other way round: a heap of blocks of all sizes falls into
    pieces, and a step that found room ten times ends for lack of it. There blocks are mapped, and returned, one by one.
    """
    if sys.platform != "linux" or not hasattr(libc := ctypes.CDLL(None), "mallopt"):
        return
    if resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
        libc.mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES)
        return
    libc.mallopt(M_MMAP_MAX, 0)
    libc.mallopt(M_TRIM_THRESHOLD, HELD_BYTES)
