"""Several processes of one training, forked from the one that has imported torch, as torchrun would start them."""

from __future__ import annotations

import socket
import subprocess
from typing import Any

from tests.conftest import CPU
from tests.warm import Program, Warm

NET = [
    "--model.net.image_size=16",
    "--model.net.patch_size=8",
    "--model.net.dim=16",
    "--model.net.backend.depth=2",
    "--model.net.backend.heads=2",
]
FIT = ["fit", "--data.root=photos", "--data.num_workers=0", *NET, *CPU]


def start(programs: Warm, count: int, *words: object, **options: Any) -> list[Program]:
    """That many ranks of a job on this machine, which have yet to end."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    told = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "GROUP_WORLD_SIZE": "1",
        "GROUP_RANK": "0",
        "TORCHELASTIC_RUN_ID": "none",
    }
    return [
        programs.start(*words, environment=told | {"RANK": str(rank), "LOCAL_RANK": str(rank)}, **options)
        for rank in range(count)
    ]


def run(
    programs: Warm, count: int, *words: object, launched: bool = False, **options: Any
) -> list[subprocess.CompletedProcess[str]]:
    """The same, awaited; one process is started without a launcher, unless it is to be."""
    if count == 1 and not launched:
        return [programs.run(*words, **options)]
    return [program.done(150) for program in start(programs, count, *words, **options)]
