"""Length of a run, over which the learning rate falls: its optimizer steps, or the share of its time that passed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lightning.pytorch.callbacks import Timer

from vitcli.errors import ConfigError

if TYPE_CHECKING:
    import lightning.pytorch as pl


def run_length(trainer: pl.Trainer) -> int | Callable[[], float]:
    """Optimizer steps of the whole run; where only ``trainer.max_time`` ends it, what tells the share passed.

    Args:
        trainer: That is about to train.

    Raises:
        ConfigError: Nothing ends the run, or only the time does, which several processes would each tell differently.
    """
    total = trainer.estimated_stepping_batches
    if total != float("inf"):
        return int(total)
    timer = next((callback for callback in trainer.callbacks if isinstance(callback, Timer)), None)  # type: ignore[attr-defined]
    if timer is None or timer._duration is None:
        raise ConfigError(
            "trainer.max_epochs -1: the learning rate needs to know where the run ends; "
            "set trainer.max_epochs or trainer.max_steps"
        )
    if trainer.world_size > 1:
        raise ConfigError(
            "trainer.max_time: on several processes the learning rate cannot follow the time, for each has a clock of "
            "its own; set trainer.max_epochs or trainer.max_steps too"
        )
    seconds = max(1e-9, timer._duration)
    # the time before a resume counts: Timer keeps it in the checkpoint
    return lambda: min(1.0, timer.time_elapsed() / seconds)
