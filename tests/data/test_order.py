"""Is the order of samples a function of seed, epoch, rank and world, and of nothing else?"""

from __future__ import annotations

import pytest

from vitcli.data.order import evaluation_batches, evaluation_order, training_batches, training_order


def test_the_training_order_is_the_same_on_every_machine() -> None:
    assert training_order(10, seed=0, epoch=0) == [0, 8, 9, 3, 7, 5, 1, 2, 6, 4]
    assert training_order(10, seed=1, epoch=3) == [7, 5, 2, 1, 6, 4, 3, 9, 0, 8]


def test_every_sample_is_seen_once_in_an_order_of_its_own_each_epoch() -> None:
    orders = [training_order(50, seed, epoch) for seed in (0, 1) for epoch in (0, 1)]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 16, 23])
@pytest.mark.parametrize("world", [1, 2, 3])
def test_all_processes_have_equally_many_batches_and_none_is_empty(count: int, world: int) -> None:
    ranks = [training_batches(count, seed=3, epoch=1, batch_size=4, rank=rank, world=world) for rank in range(world)]
    assert {len(batches) for batches in ranks} == {-(-count // (4 * world))}
    for step in zip(*ranks, strict=True):
        assert len({len(batch) for batch in step}) == 1
        assert all(batch for batch in step)
    seen = [position for batches in ranks for batch in batches for _, position in batch]
    assert set(seen) == set(range(count))
    assert len(seen) - count < world


def test_two_processes_see_the_global_batches_of_one() -> None:
    alone = training_batches(22, seed=0, epoch=2, batch_size=8)
    pair = [training_batches(22, seed=0, epoch=2, batch_size=4, rank=rank, world=2) for rank in (0, 1)]
    assert [first + second for first, second in zip(*pair, strict=True)] == alone


@pytest.mark.parametrize("count", [0, 1, 5, 12])
@pytest.mark.parametrize("world", [1, 2, 4])
def test_evaluation_sees_each_sample_exactly_once(count: int, world: int) -> None:
    seen = sorted(i for rank in range(world) for i in evaluation_order(count, rank, world))
    assert seen == list(range(count))


def test_evaluation_batches_are_in_order_and_not_padded() -> None:
    assert evaluation_batches(5, batch_size=2) == [[(0, 0), (0, 1)], [(0, 2), (0, 3)], [(0, 4)]]
    assert evaluation_batches(1, batch_size=2, rank=1, world=2) == []
