"""Let a CPU's malloc keep what a layer frees for the next one, instead of returning it to the system each time."""

from __future__ import annotations

from functools import cache

import torch

# the largest block that glibc keeps in its pool; larger ones are mapped anew, page by page, each time
POOL_BYTES = 2**25


@cache
def keep_freed_blocks() -> None:
    """Take and give back the largest block that malloc can learn from; once in a process.

    glibc maps blocks above a threshold anew each time, and returns what is free at the end of its heap above twice that;
    both begin at 128 kB and follow the largest block that was ever freed. A net whose layers take a few MB each had
    every page of theirs given back and cleared again, layer by layer: the forward pass in bfloat16 ran at 584 instead of
    1,000 images a second (docs/results.md, 2026-11-25). Nothing is written into the block, so it costs nothing.
    """
    torch.empty(POOL_BYTES - 2**12, dtype=torch.uint8, device="cpu")
