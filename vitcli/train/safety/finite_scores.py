"""Validation in fit whose answers are nan or inf ends the run, before its epoch could be chosen as the best."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from vitcli.errors import DivergedError
from vitcli.train.safety.origin import agreed, of_validation, remedy

if TYPE_CHECKING:
    import lightning.pytorch as pl

    from vitcli.answers.answer import Answers
    from vitcli.data import Batch
    from vitcli.train.classifier import Classifier


@final
class FiniteScores(Callback):
    """Ends fit where ``val/loss`` is no number, and names the images to which the net has no answer.

    No step is left out for it: no later one mends weights that answer so.
    """

    def __init__(self) -> None:
        self._answers: list[tuple[Tensor, Tensor]] = []

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Forget an earlier validation."""
        self._answers = []

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Answers,  # type: ignore[override]
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Note, on the device, whether a batch has answers that are no numbers."""
        if trainer.state.fn == "fit":
            self._answers.append((outputs["logits"].isfinite().all(), batch["index"]))

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Classifier) -> None:  # type: ignore[override]
        """Name the images of val to which the net has no answer.

        Raises:
            DivergedError: There are some.
        """
        loss = trainer.callback_metrics.get("val/loss")
        if trainer.state.fn != "fit" or loss is None or bool(torch.isfinite(loss)):
            return
        positions = next((index.tolist() for is_finite, index in self._answers if not bool(is_finite)), None)
        self._answers = []
        told = agreed(trainer, lambda: None if positions is None else of_validation(trainer, pl_module, positions))
        # also with skip: no later step mends weights that answer so
        raise DivergedError(
            f"validation after step {trainer.global_step}, epoch {trainer.current_epoch + 1}: val/loss is "
            f"{float(loss)}: {told}; {remedy(trainer, pl_module)}"
        )
