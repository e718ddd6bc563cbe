"""Handshake of a job: each rank connects to rank 0 over TCP and shows the token that rank 0 has broadcast."""

from __future__ import annotations

import os
import secrets
import socket
import time
from typing import TYPE_CHECKING

from vitcli.errors import ConfigError
from vitcli.train.safety.line import Line

if TYPE_CHECKING:
    from lightning.pytorch.strategies import Strategy

JOIN_SECONDS = 60.0


def shake_hands(strategy: Strategy, address: str, *, is_one_machine: bool) -> dict[int, Line]:
    """The connections of this process, by rank: rank 0 has one to each other rank, and each other one to rank 0.

    Every process calls it, once they can broadcast.

    Args:
        strategy: Knows ranks, and broadcasts.
        address: Of the machine of rank 0.
        is_one_machine: Whether all run on the same one, so that no other need reach it.

    Raises:
        ConfigError: A process cannot reach rank 0, or has not within JOIN_SECONDS.
    """
    rank: int = strategy.global_rank  # type: ignore[attr-defined]
    if rank == 0:
        return _as_first(strategy, address, is_one_machine)
    host, port, token, who = strategy.broadcast(("", 0, "", ""))
    try:
        line = Line(socket.create_connection((host, port), timeout=JOIN_SECONDS))
    except OSError as error:
        raise ConfigError(
            f"rank {rank} on {socket.gethostname()}: cannot reach rank 0 at {host}:{port}: {error}; open "
            "the ports between the machines to each other"
        ) from error
    line.who = who
    line.send(hello=token, rank=rank, who=_who(rank))
    return {0: line}


def _as_first(strategy: Strategy, address: str, is_one_machine: bool) -> dict[int, Line]:
    world: int = strategy.world_size  # type: ignore[attr-defined]
    host = "127.0.0.1" if is_one_machine else address
    both = not is_one_machine and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    with socket.create_server(
        (host if is_one_machine else "", 0), family=family, dualstack_ipv6=both, backlog=world
    ) as server:
        token = secrets.token_hex(16)
        strategy.broadcast((host, server.getsockname()[1], token, _who(0)))
        return _accepted(server, token, world)


def _accepted(server: socket.socket, token: str, world: int) -> dict[int, Line]:
    """The connections of all other ranks; who does not know the token is hung up on."""
    lines: dict[int, Line] = {}
    last = time.monotonic() + JOIN_SECONDS
    while len(lines) < world - 1:
        server.settimeout(max(0.1, last - time.monotonic()))
        try:
            connection, _ = server.accept()
        except TimeoutError:
            missing = ", ".join(str(rank) for rank in range(1, world) if rank not in lines)
            raise ConfigError(
                f"rank {missing}: has not reached rank 0 on {socket.gethostname()}, port {server.getsockname()[1]}; "
                "open the ports between the machines to each other"
            ) from None
        line = Line(connection)
        hello = (line.receive() or [{}])[0]
        rank = hello.get("rank")
        if secrets.compare_digest(str(hello.get("hello")), token) and isinstance(rank, int) and 0 < rank < world:
            line.who = str(hello.get("who"))
            lines[rank] = line
        else:
            line.close()
    return lines


def _who(rank: int) -> str:
    return f"rank {rank} (process {os.getpid()} on {socket.gethostname()})"
