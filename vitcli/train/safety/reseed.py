"""Reseed: the random numbers of a step (dropout) as a pure function of seed, epoch and share of the images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from lightning.pytorch.callbacks import Callback

from vitcli.data.batches.position import position

if TYPE_CHECKING:
    import lightning.pytorch as pl


@final
class Reseed(Callback):
    """Seeds torch before every training step, so that a resumed run draws what the uninterrupted one would have.

    Args:
        seed: The run's seed.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed the generators of the CPU and of the device."""
        epoch, _ = position(trainer)
        # fewer processes that sum up more batches draw the same for the same images (order.training_batches)
        parts = (self.seed, epoch, batch_idx * trainer.world_size + trainer.global_rank, 0)
        seed = int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0])
        if trainer.strategy.root_device.type == "cpu":
            # torch.manual_seed also records a stack trace for GPUs not in use: it takes longer than a small step
            torch.default_generator.manual_seed(seed)
        else:
            torch.manual_seed(seed)
