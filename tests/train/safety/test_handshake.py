"""Handshake: ranks reach rank 0 by what it has broadcast, and nobody else does."""

from __future__ import annotations

import queue
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any, final

import pytest

from vitcli.errors import ConfigError
from vitcli.train.safety import handshake
from vitcli.train.safety.handshake import shake_hands
from vitcli.train.safety.line import Line


@final
class Strategy:
    """One of two ranks in a process: what rank 0 broadcasts comes by a queue."""

    world_size = 2

    def __init__(self, rank: int, told: queue.Queue[Any]) -> None:
        self.global_rank = rank
        self.told = told

    def broadcast(self, value: Any) -> Any:
        if self.global_rank == 0:
            self.told.put(value)
            return value
        return self.told.get(timeout=30)


def test_who_does_not_know_the_token_is_hung_up_on_and_the_rank_is_taken():
    told: queue.Queue[Any] = queue.Queue()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(shake_hands, Strategy(0, told), "localhost", is_one_machine=True)
        announced = told.get(timeout=30)
        stranger = Line(socket.create_connection(announced[:2]))
        stranger.send(hello="guessed", rank=1, who="a stranger")
        assert stranger.receive() is None
        told.put(announced)
        second = shake_hands(Strategy(1, told), "localhost", is_one_machine=True)
        lines = first.result(timeout=30)
    assert lines[1].who.startswith("rank 1 (process ")
    assert second[0].who.startswith("rank 0 (process ")
    lines[1].send(beat=1)
    assert second[0].receive() == [{"beat": 1}]
    for line in (stranger, lines[1], second[0]):
        line.close()


def test_a_rank_that_does_not_come_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(handshake, "JOIN_SECONDS", 0.1)
    with pytest.raises(ConfigError, match=r"^rank 1: has not reached rank 0 on .*; open the ports between"):
        shake_hands(Strategy(0, queue.Queue()), "localhost", is_one_machine=True)
