"""Meeting in torchrun's store under a prefix of this start's own, apart from what ranks of earlier starts left there.

Source: torch.distributed.rendezvous and torch.distributed.elastic (torch 2.15). torchrun's store outlives a restart.
TORCHELASTIC_RESTART_COUNT cannot tell starts apart: only the torchrun whose rank has failed counts it, the others start
their ranks again as after a change of members, which is not counted. Ranks would wait for each other under two names.
"""

from __future__ import annotations

import importlib
import os
import secrets
import time
from datetime import timedelta
from typing import Any

from torch.distributed.distributed_c10d import PrefixStore, Store

from vitcli.errors import ConfigError

LOOK_SECONDS = 0.05


def meet_apart() -> None:
    """Have ranks that torchrun has started meet under a word of their own, whenever torch has them meet."""
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True" or "RANK" not in os.environ:
        return
    # the package has a function of that name in its place
    rendezvous: Any = importlib.import_module("torch.distributed.rendezvous")
    plain = rendezvous._create_c10d_store
    if plain.__module__ == __name__:
        return

    def create(
        hostname: str, port: int, rank: int, world_size: int, timeout: timedelta, *args: Any, **options: Any
    ) -> Store:
        store: Store = plain(hostname, port, rank, world_size, timeout, *args, **options)
        return PrefixStore(f"vitcli-{meet(store, rank, world_size, timeout.total_seconds())}", store)

    rendezvous._create_c10d_store = create


def meet(store: Store, rank: int, world: int, within: float) -> str:
    """A word that all ranks of this start have in common, and none of an earlier one.

    Each of the others leaves a number drawn for this start, and waits for the answer to it. Rank 0 may find the number
    of an earlier start first: it answers whatever number it finds, until each rank has confirmed.

    Args:
        store: Shared by all starts.
        rank: This process.
        world: Number of processes.
        within: Seconds after which who has not come is given up.

    Raises:
        ConfigError: A rank has not come.
        DistStoreError: Rank 0 has not come.
    """
    own = secrets.token_hex(8)
    if rank > 0:
        store.set(f"vitcli/here/{rank}", own)
        word = store.get(f"vitcli/word/{own}").decode()
        store.set(f"vitcli/met/{word}/{rank}", "1")
        return word
    missing, answered = set(range(1, world)), dict[int, bytes]()
    last = time.monotonic() + within
    while missing:
        missing -= {other for other in missing if store.check([f"vitcli/met/{own}/{other}"])}
        for other in missing:
            key = f"vitcli/here/{other}"
            if store.check([key]) and (here := store.get(key)) != answered.get(other):
                answered[other] = here
                store.set(f"vitcli/word/{here.decode()}", own)
        if missing and time.monotonic() > last:
            names = ", ".join(map(str, sorted(missing)))
            raise ConfigError(
                f"rank {names}: has not met rank 0 within {within:.0f} s; see what it says on its machine"
            )
        if missing:
            time.sleep(LOOK_SECONDS)
    return own
