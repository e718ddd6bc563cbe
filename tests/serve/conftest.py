"""Servers that tests ask: one of a tiny run, for all of a module; and one whose net waits until a test lets it go."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.serve.client import Client
from tests.warm import COMMAND, Program, Warm

# the real command, with a net that answers once there is a file "go"
HELD = """
import sys, time
from pathlib import Path
import vitcli.serve.torch_engine
answer = vitcli.serve.torch_engine.TorchEngine.answer
def held(self, images):
    while not Path("go").exists():
        time.sleep(0.002)
    return answer(self, images)
vitcli.serve.torch_engine.TorchEngine.answer = held
from vitcli.__main__ import command
sys.exit(command())
"""

# one whose net fails at its first batch
FAILING = """
import sys
import vitcli.serve.torch_engine
engine = vitcli.serve.torch_engine.TorchEngine
answer = engine.answer
def failing(self, images):
    engine.answer = answer
    raise RuntimeError("the first batch")
engine.answer = failing
from vitcli.__main__ import command
sys.exit(command())
"""


class Served(NamedTuple):
    """A server, who asks it, and the run that it serves."""

    program: Program
    client: Client
    run: Path


Serve = Callable[..., Served]


def started(programs: Warm, run: Path, *words: str, **options: str) -> Served:
    """``vitcli serve`` in a process of its own, at a port that was free."""
    program = programs.start("serve", str(run), "--port", "0", *words, **options)
    program.until("Ctrl-C ends it")
    line = next(line for line in program.out.splitlines() if line.startswith("http://"))
    return Served(program, Client(int(line.split()[0].rpartition(":")[2])), run)


@pytest.fixture(scope="session")
def served(programs: Warm, _fitted: Path) -> Served:
    """A server of the tiny run, with small limits; tests leave nothing behind in it."""
    return started(programs, _fitted / "runs/photos", "--max_bytes", "200000", "--max_images", "8", "--timeout", "2")


@pytest.fixture
def serve(programs: Warm, _fitted: Path, here: Path) -> Iterator[Serve]:
    """A function that starts one with options of the test's own, and perhaps a net that is held, or fails."""
    servers = []

    def start(*words: str, code: str = COMMAND) -> Served:
        servers.append(started(programs, _fitted / "runs/photos", *words, code=code))
        return servers[-1]

    yield start
    for server in servers:
        server.program.end()


def go() -> None:
    """Let a held net answer."""
    Path("go").touch()


def bomb(side: int = 30_000) -> bytes:
    """A PNG of a few hundred kilobytes that says, and has, ``side`` x ``side`` pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    row = b"\0" + bytes((side + 7) // 8)
    packed = zlib.compressobj(9)
    rows = b"".join(packed.compress(row) for _ in range(side)) + packed.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
