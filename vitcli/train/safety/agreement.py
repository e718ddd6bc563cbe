"""Agreement of several processes on the step at which they stop, without a collective and without a wait per step.

Ranks run the same sequence of points at which they could stop (boundaries of optimizer steps, batches of a validation
that all have), but not at the same time; one that stopped where it is would leave another waiting in a collective. So
each promises not to pass its next point before it is told which one it is to be: the furthest of all promises.
"""

from __future__ import annotations

import threading
from typing import final

LOOK_EVERY_SECONDS = 1.0


@final
class Agreement:
    """One process's count of points, its promise and the point at which all stop.

    The main thread passes points, another one promises and settles. A promise is given at once, whatever the main
    thread waits for, so that nobody ever waits for another's step.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._here = 0
        self._promised: int | None = None
        self._stop_at: int | None = None

    @property
    def is_settled(self) -> bool:
        """Whether it is known where all stop."""
        return self._stop_at is not None

    def arrives(self) -> bool:
        """Whether all stop at the point that the main thread has reached; it may wait for the answer, for a moment."""
        with self._changed:
            self._here += 1
            while self._promised is not None and self._stop_at is None and self._here >= self._promised:
                self._changed.wait(LOOK_EVERY_SECONDS)
            return self._stop_at is not None and self._here >= self._stop_at

    def promise(self) -> int:
        """The point that is not passed before ``settle`` says where all stop."""
        with self._changed:
            if self._promised is None:
                self._promised = self._here + 1
            return self._promised

    def settle(self, stop_at: int) -> None:
        """Stop at this point.

        Args:
            stop_at: The largest of all promises.
        """
        with self._changed:
            self._stop_at = stop_at
            self._changed.notify_all()
