"""Ranks that torchrun starts again meet each other, and not what ranks of an earlier start have left in its store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from torch.distributed import TCPStore

from vitcli.errors import ConfigError
from vitcli.train.safety.meeting import meet


def server() -> TCPStore:
    return TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=20))


def met(port: int, order: list[int]) -> set[str]:
    """The words of ranks that come in an order, each with a connection of its own, as processes have."""

    def come(rank: int) -> str:
        store = TCPStore("127.0.0.1", port, is_master=False, wait_for_workers=False, timeout=timedelta(seconds=20))
        return meet(store, rank, len(order), 20)

    with ThreadPoolExecutor(len(order)) as pool:
        return {job.result() for job in [pool.submit(come, rank) for rank in order]}


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0]], ids=["first comes first", "first comes last"])
def test_each_start_has_one_word_that_no_other_has(order: list[int]) -> None:
    store = server()
    words = [met(store.port, order) for _ in range(3)]
    assert [len(word) for word in words] == [1, 1, 1]
    assert len(set.union(*words)) == 3


def test_a_rank_that_died_while_it_waited_is_not_taken_for_the_one_in_its_place() -> None:
    store = server()
    store.set("vitcli/here/1", "left by one that has died")
    assert len(met(store.port, [0, 1])) == 1


def test_a_rank_that_does_not_come_is_named() -> None:
    store = server()
    with pytest.raises(ConfigError, match=r"rank 1, 2: has not met rank 0 within 0 s"):
        meet(store, 0, 3, 0.2)
