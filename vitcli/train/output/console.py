"""Console output of a running verb: a progress bar, a line per epoch, and the images that could not be read."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, final

from lightning.pytorch.callbacks import Callback, TQDMProgressBar

if TYPE_CHECKING:
    import lightning.pytorch as pl

    from vitcli.data import Batch

SHOWN = ("train/loss", "val/loss", "train/accuracy", "val/accuracy")
READ_AFTER = 0.5


@final
class LossBar(TQDMProgressBar):
    """A progress bar with the loss of a step, which is read twice a second.

    Lightning's own reads every step's. Each time the CPU waits until the GPU has finished all that is queued, and
    then the GPU waits for the CPU.
    """

    def __init__(self) -> None:
        super().__init__()
        self._read = float("-inf")
        self._loss: dict[str, float] = {}

    def get_metrics(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """The numbers after the bar."""
        now = time.monotonic()
        if now - self._read >= READ_AFTER and "train/loss_step" in (reached := trainer.callback_metrics):
            self._read, self._loss = now, {"train/loss_step": float(reached["train/loss_step"])}
        return super().get_metrics(trainer, pl_module) | self._loss


@final
class EpochLines(Callback):
    """One line per epoch: what was reached, and how long it took."""

    def __init__(self) -> None:
        self._start = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock of an epoch that is resumed midway, for which Lightning announces no start."""
        self._start = time.monotonic()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._start = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say what the epoch reached."""
        if trainer.is_global_zero:
            reached = trainer.callback_metrics
            numbers = "  ".join(f"{key} {float(reached[key]):.4f}" for key in SHOWN if key in reached)
            epochs = f"/{trainer.max_epochs}" if trainer.max_epochs and trainer.max_epochs > 0 else ""
            seconds = time.monotonic() - self._start
            line = f"epoch {trainer.current_epoch + 1}{epochs}  {numbers}  {seconds:.0f} s"
            bar = trainer.progress_bar_callback
            if bar is not None:
                # between the bars, not across one
                bar.print(line)
            else:
                print(line, flush=True)


@final
class Unreadable(Callback):
    """Names each image that could not be read, once, and counts them: none is ever replaced by another.

    In training, validation and test such an image is left out; predict writes a row with the reason.
    """

    def __init__(self) -> None:
        self.reasons: dict[tuple[str, str], str] = {}

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note a training batch's."""
        self._note(trainer, "train", batch)

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Note a validation batch's."""
        self._note(trainer, "val", batch)

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Note a test batch's."""
        self._note(trainer, "test", batch)

    def _note(self, trainer: pl.Trainer, split: str, batch: Batch) -> None:
        for index, reason in batch["errors"]:
            path = trainer.datamodule.listing(split).paths[index]  # type: ignore[attr-defined]
            if (split, path) not in self.reasons:
                self.reasons[split, path] = reason
                print(f"left out: {split} image {path}: {reason}", file=sys.stderr, flush=True)
