"""Time of the next checkpoint between two ends of epochs: after a minute, then every so many minutes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    import lightning.pytorch as pl

FIRST_SECONDS = 60.0
# several processes ask the first one after as many points at most, and once more in half of the time that is left
MOST_POINTS, FIRST_POINTS = 1000, 10


@final
class Timed:
    """Says at which optimizer step a checkpoint is due.

    In one process that is a look at the clock. Several may not decide each by its own: the first one tells the others
    how many steps later it is to be asked again, by the pace so far, so that they talk about a dozen times between two
    checkpoints and not at each step.

    Args:
        minutes: From one checkpoint to the next; 0: none is due ever.
    """

    def __init__(self, minutes: float) -> None:
        self._every = minutes * 60
        self._next = time.monotonic() + min(self._every, FIRST_SECONDS)
        self._points_left = FIRST_POINTS
        self._points = 0
        self._since = time.monotonic()

    def begin(self) -> None:
        """Start the clock: the training begins now."""
        self._since, self._points, self._points_left = time.monotonic(), 0, FIRST_POINTS
        self._next = self._since + min(self._every, FIRST_SECONDS)

    def is_due(self, trainer: pl.Trainer, *, is_busy: bool = False) -> bool:
        """Whether a checkpoint is due at this step; all processes call this at the same steps.

        Args:
            trainer: Its strategy, by which the first process tells the others.
            is_busy: Whether the first process is still writing the one before: then it is due later.
        """
        if not self._every:
            return False
        if trainer.world_size == 1:
            return not is_busy and time.monotonic() >= self._next
        self._points += 1
        self._points_left -= 1
        if self._points_left > 0:
            return False
        left: int = trainer.strategy.broadcast(self._estimate(is_busy=is_busy))
        self._points_left = max(1, left)
        return left == 0

    def saved(self) -> None:
        """A checkpoint was written, for whatever reason."""
        self._next = time.monotonic() + self._every

    def _estimate(self, *, is_busy: bool) -> int:
        """How many steps later to ask again; 0: a checkpoint is due now."""
        now = time.monotonic()
        if now >= self._next:
            return FIRST_POINTS if is_busy else 0
        pace = self._points / max(now - self._since, 1e-9)
        return max(1, min(MOST_POINTS, int(pace * (self._next - now) / 2)))
