"""How long do OpenMP's threads keep a core busy when they have nothing to do?"""

from __future__ import annotations

import os

SPINS = "50000"


def spin_briefly() -> None:
    """Let idle OpenMP threads wait for half a millisecond before they sleep; called before torch is imported.

    By default libgomp's wait for several: a core on which the next batch could be decoded already. With this, batches
    from a cache come 1.4 times as fast, and steps of training are as fast as before (docs/results.md, 2026-11-25).
    A GOMP_SPINCOUNT of the user's stays.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
