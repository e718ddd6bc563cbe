"""The order of samples is a function of seed, epoch, rank and world, and of nothing else."""

from __future__ import annotations

import random

import numpy as np
import pytest
from numpy.typing import NDArray

from vitcli.data.batches.order import (
    Plan,
    Sampler,
    Spot,
    balanced,
    epoch_length,
    evaluation_batches,
    evaluation_order,
    shuffled,
    training_batches,
    training_order,
)


def labels(*counts: int) -> NDArray[np.int64]:
    return np.repeat(np.arange(len(counts)), counts)


def batches(count: int, seed: int, epoch: int, batch_size: int, rank: int = 0, world: int = 1) -> Plan:
    order = training_order(labels(count), seed=seed, epoch=epoch)
    return training_batches(order, epoch=epoch, batch_size=batch_size, rank=rank, world=world)


def test_the_training_order_is_the_same_on_every_machine() -> None:
    assert shuffled(10, 0, 0).tolist() == [0, 8, 9, 3, 7, 5, 1, 2, 6, 4]
    assert shuffled(10, 1, 3).tolist() == [7, 5, 2, 1, 6, 4, 3, 9, 0, 8]
    assert training_order(labels(10), seed=1, epoch=3)[:2] == [Spot(7), Spot(5)]


def test_every_sample_is_seen_once_in_an_order_of_its_own_each_epoch() -> None:
    orders = [shuffled(50, seed, epoch).tolist() for seed in (0, 1) for epoch in (0, 1)]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 16, 23])
@pytest.mark.parametrize("world", [1, 2, 3])
def test_all_processes_have_equally_many_batches_and_none_is_empty(count: int, world: int) -> None:
    ranks = [batches(count, seed=3, epoch=1, batch_size=4, rank=rank, world=world) for rank in range(world)]
    assert {len(plan) for plan in ranks} == {-(-count // (4 * world))}
    for step in zip(*ranks, strict=True):
        assert len({len(key.spots) for key in step}) == 1
        assert all(key.spots for key in step)
        assert len({(key.epoch, key.number) for key in step}) == 1
    seen = [spot.position for plan in ranks for key in plan for spot in key.spots]
    assert set(seen) == set(range(count))
    assert len(seen) - count < world


def test_two_processes_see_the_global_batches_of_one() -> None:
    alone = batches(22, seed=0, epoch=2, batch_size=8)
    pair = [batches(22, seed=0, epoch=2, batch_size=4, rank=rank, world=2) for rank in (0, 1)]
    joined = [first.spots + second.spots for first, second in zip(*pair, strict=True)]
    assert joined == [key.spots for key in alone]


@pytest.mark.parametrize("count", [5, 22, 24, 48, 61])
@pytest.mark.parametrize(("world", "summed"), [(1, 4), (2, 2), (4, 1)])
def test_fewer_processes_that_sum_up_more_batches_step_over_the_same_shares(
    count: int, world: int, summed: int
) -> None:
    order = training_order(labels(count), seed=0, epoch=2)

    def dealt(world: int, summed: int) -> list[list[Spot]]:
        ranks = [
            training_batches(order, epoch=2, batch_size=4, rank=rank, world=world, summed=summed)
            for rank in range(world)
        ]
        return [key.spots for batch in zip(*ranks, strict=True) for key in batch]

    shares = dealt(world, summed)
    assert shares == dealt(1, 4)
    assert all(len({len(share) for share in shares[step : step + 4]}) == 1 for step in range(0, len(shares), 4))
    seen = [spot.position for share in shares for spot in share]
    assert set(seen) == set(range(count))
    assert len(seen) - count < 4


def test_a_balanced_epoch_shows_as_many_of_each_class_and_is_about_as_long() -> None:
    unequal = labels(40, 2, 8)
    order = balanced(unequal, seed=0, epoch=0)
    assert np.bincount(unequal[order]).tolist() == [17, 17, 17]
    assert len(order) == epoch_length(unequal, "balanced") == 51
    assert np.bincount(order, minlength=50)[40:].tolist() == pytest.approx([8.5] * 2 + [2.125] * 8, abs=1)
    assert order.tolist() == balanced(unequal, seed=0, epoch=0).tolist() != balanced(unequal, seed=0, epoch=1).tolist()


def test_of_a_large_class_every_sample_is_shown_before_any_is_shown_again() -> None:
    unequal = labels(40, 2, 8)
    shown = np.concatenate([balanced(unequal, seed=3, epoch=epoch) for epoch in range(40)])
    times = np.bincount(shown[unequal[shown] == 0], minlength=40)
    assert set(times.tolist()) == {17}


def test_copies_of_a_sample_in_an_epoch_are_told_apart() -> None:
    spots = training_order(labels(40, 2), seed=0, epoch=0, sampler="balanced")
    assert len(set(spots)) == len(spots)
    repeated = training_order(labels(10), seed=0, epoch=0, repeats=3)
    assert repeated[:4] == [Spot(0, 0), Spot(0, 1), Spot(0, 2), Spot(8, 0)]
    assert len(repeated) == 10


@pytest.mark.parametrize("count", [0, 1, 5, 12])
@pytest.mark.parametrize("world", [1, 2, 4])
def test_evaluation_sees_each_sample_exactly_once(count: int, world: int) -> None:
    seen = sorted(i for rank in range(world) for i in evaluation_order(count, rank, world))
    assert seen == list(range(count))


def test_evaluation_batches_are_in_order_and_not_padded() -> None:
    plan = evaluation_batches(5, batch_size=2)
    assert [[spot.position for spot in key.spots] for key in plan] == [[0, 1], [2, 3], [4]]
    assert evaluation_batches(1, batch_size=2, rank=1, world=2) == []


@pytest.mark.parametrize(("sampler", "repeats"), [("shuffle", 1), ("balanced", 1), ("shuffle", 3), ("balanced", 2)])
def test_every_epoch_has_the_order_of_the_first_one_where_that_is_wanted(sampler: Sampler, repeats: int) -> None:
    def order(epoch: int, *, same: bool) -> list[Spot]:
        return training_order(
            labels(20, 5), seed=2, epoch=epoch, sampler=sampler, repeats=repeats, same_each_epoch=same
        )

    assert order(0, same=True) == order(1, same=True) == order(7, same=True) == order(0, same=False)
    assert order(1, same=False) != order(0, same=False)


@pytest.mark.parametrize(("count", "batch_size"), [(0, 4), (1, 4), (23, 4), (64, 8), (100, 7)])
@pytest.mark.parametrize("world", [1, 2, 3])
def test_what_is_left_to_do_is_dealt_out_in_the_batches_that_it_would_have_had(count: int, batch_size: int, world: int):
    def dealt(processes: int, done: np.ndarray | None = None) -> list[list[int]]:
        return [
            [spot.position for spot in key.spots]
            for rank in range(processes)
            for key in evaluation_batches(count, batch_size=batch_size, rank=rank, world=processes, done=done)
        ]

    planned = dealt(world)
    for finished in range(len(planned) + 1):
        done = np.zeros(count, dtype=bool)
        for batch in random.Random(finished).sample(planned, finished):
            done[batch] = True
        left = [batch for batch in planned if not done[batch].any()]
        assert sorted(dealt(world, done)) == sorted(left)
        # on another number of processes too, each sample once
        for processes in (1, 2, 5):
            again = dealt(processes, done)
            assert sorted(position for batch in again for position in batch) == np.flatnonzero(~done).tolist()
            assert all(0 < len(batch) <= batch_size for batch in again)


def test_all_processes_have_as_much_left_to_do_though_one_has_done_more():
    done = np.zeros(1000, dtype=bool)
    done[::2] = True
    shares = [evaluation_batches(1000, batch_size=10, rank=rank, world=2, done=done) for rank in (0, 1)]
    assert [len(share) for share in shares] == [25, 25]


def test_a_hundred_processes_show_each_sample_exactly_once_an_epoch() -> None:
    count, world, batch_size = 50_003, 100, 16
    orders = [training_order(labels(count), seed=3, epoch=7) for _ in range(2)]
    shown = [
        # what each process computes by itself
        training_batches(orders[rank % 2], epoch=7, batch_size=batch_size, rank=rank, world=world)
        for rank in range(world)
    ]
    assert {len(plan) for plan in shown} == {-(-count // (world * batch_size))}
    times = np.zeros(count, dtype=np.int64)
    for plan in shown:
        for key in plan:
            np.add.at(times, [spot.position for spot in key.spots], 1)
    # but for the few with which the last step is filled up, as all processes step together
    assert times.min() == 1
    assert sorted(np.flatnonzero(times != 1)) == sorted(orders[0].positions[: -count % world])
    assert sorted(i for rank in range(world) for i in evaluation_order(count, rank, world)) == list(range(count))
