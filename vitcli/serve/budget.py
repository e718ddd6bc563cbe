"""Budget: a weighted semaphore for asyncio: what is held at a time never exceeds a sum; first come, first served."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import final


@final
class Budget:
    """A sum, of bytes or of pixels, of which parts are taken and given back; to be used in one event loop.

    Args:
        most: All of it.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def try_take(self, amount: int) -> bool:
        """Take some at once, if it is there and nobody waits for it."""
        if self._waiting or self.taken + amount > self.most:
            return False
        self.taken += amount
        return True

    async def take(self, amount: int) -> None:
        """Take some, once it is there.

        Args:
            amount: At most all of it.
        """
        assert amount <= self.most, "would wait for ever"
        if self.try_take(amount):
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((amount, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                # it was handed over in the moment in which nobody wanted it any more
                self.give(amount)
            else:
                self._hand_on()
            raise

    def give(self, amount: int) -> None:
        """Give back what was taken."""
        self.taken -= amount
        self._hand_on()

    def _hand_on(self) -> None:
        while self._waiting:
            amount, turn = self._waiting[0]
            if not turn.done():
                if self.taken + amount > self.most:
                    return
                self.taken += amount
                turn.set_result(None)
            self._waiting.popleft()
