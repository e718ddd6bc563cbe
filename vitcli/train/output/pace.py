"""Pace: seconds a step, images a second and peak memory of a training, measured between the ends of its batches."""

from __future__ import annotations

import resource
import sys
import time
from typing import TYPE_CHECKING, Any, final

import torch
from lightning.pytorch.callbacks import Callback

if TYPE_CHECKING:
    import lightning.pytorch as pl


@final
class Pace(Callback):
    """Measures a training as it goes; the first batch of each epoch, which starts workers and compiles, is left out.

    What comes between two batches of training, such as a validation, is left out too. On a GPU the clock is read when
    a batch is queued, which over an epoch is when it is done, less a few batches.
    """

    def __init__(self) -> None:
        self._last: float | None = None
        self._seconds = 0.0
        self._batches = 0
        self._images = 0
        self._of_a_step = 1

    @property
    def seconds_a_step(self) -> float | None:
        """Mean over the steps so far; None before the second batch."""
        return self._seconds / self._batches * self._of_a_step if self._batches else None

    @property
    def images_a_second(self) -> float | None:
        """Trained on, over all processes; None before the second batch."""
        return self._images / self._seconds if self._seconds else None

    @property
    def peak_memory_bytes(self) -> int:
        """Largest resident set of this process so far."""
        # kilobytes, but for macOS
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

    @property
    def peak_device_memory_bytes(self) -> int | None:
        """Largest memory that torch held on its GPU; None without one."""
        return torch.cuda.max_memory_allocated() or None if torch.cuda.is_available() else None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Learn how many batches make a step."""
        self._of_a_step = trainer.accumulate_grad_batches

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave out what was before."""
        self._last = None

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave out a validation in the middle of an epoch."""
        self._last = None

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count a batch."""
        now = time.monotonic()
        if self._last is not None:
            self._seconds += now - self._last
            self._batches += 1
            self._images += len(batch["label"]) * trainer.world_size
        self._last = now
