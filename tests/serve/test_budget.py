"""Budgets: what is held never exceeds the sum, whoever waits is served in order, and nothing is lost by leaving."""

from __future__ import annotations

import asyncio

import numpy as np

from tests.serve.loop import finished
from vitcli.serve.budget import Budget


def test_what_is_held_never_exceeds_the_sum_and_all_have_their_turn():
    async def run() -> tuple[int, int]:
        budget, held, highest, served = Budget(100), 0, 0, 0
        amounts = np.random.default_rng(0).integers(1, 101, 300).tolist()

        async def hold(amount: int) -> None:
            nonlocal held, highest, served
            await budget.take(amount)
            held += amount
            highest = max(highest, held)
            await asyncio.sleep(0)
            held -= amount
            served += 1
            budget.give(amount)

        await asyncio.gather(*map(hold, amounts))
        assert budget.taken == 0
        return highest, served

    highest, served = finished(run())
    assert 90 < highest <= 100
    assert served == 300


def test_who_waits_first_is_served_first_though_a_smaller_one_would_fit():
    async def run() -> list[str]:
        budget, order = Budget(10), []
        await budget.take(6)

        async def hold(name: str, amount: int) -> None:
            await budget.take(amount)
            order.append(name)

        waiting = [asyncio.create_task(hold("large", 8)), asyncio.create_task(hold("small", 2))]
        await asyncio.sleep(0)
        assert not budget.try_take(1)
        budget.give(6)
        await asyncio.gather(*waiting)
        return order

    assert finished(run()) == ["large", "small"]


def test_who_leaves_while_waiting_or_in_the_moment_of_its_turn_takes_nothing_along():
    async def run() -> tuple[int, int]:
        budget = Budget(10)
        await budget.take(10)
        leaving, late, last = (asyncio.create_task(budget.take(amount)) for amount in (4, 5, 10))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.sleep(0)
        # late has its turn, and is cancelled before it knows
        budget.give(10)
        late.cancel()
        await asyncio.gather(leaving, late, return_exceptions=True)
        await last
        return budget.taken, budget.most

    assert finished(run()) == (10, 10)
