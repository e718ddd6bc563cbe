"""last.ckpt: the checkpoint that a run resumes from, written at ends of epochs, between them, and on a signal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from lightning.pytorch.callbacks import Checkpoint

from vitcli.data.batches.position import is_between_steps, is_last_batch
from vitcli.train.safety.timed import Timed
from vitcli.train.safety.write import CheckpointFiles

if TYPE_CHECKING:
    import lightning.pytorch as pl


@final
class KeepLast(Checkpoint):
    """Writes ``last.ckpt`` at the end of every epoch, every few minutes, and where Stops ends the run.

    ModelCheckpoint writes its own last.ckpt only when it has found a new best. This one is a Checkpoint so that
    it is called after ModelCheckpoint, whose record of the best it has to hold.
    """

    def __init__(self) -> None:
        self.path: str | None = None
        self.timed = Timed(0)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Tell all processes where it goes."""
        # the first process alone knows the run's folder, where several were started at once
        self.path = trainer.strategy.broadcast(self.path)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self.timed.begin()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write it here if it is time, on the boundary of an optimizer step.

        What follows the last batch of an epoch, or one after which there is a validation, is done first: Lightning
        would leave it out when the run is resumed.
        """
        if not is_between_steps(trainer) or more_follows(trainer):
            return
        files = trainer.strategy.checkpoint_io
        if isinstance(files, CheckpointFiles):
            files.retry_if_due()
        if self.timed.is_due(trainer, is_busy=isinstance(files, CheckpointFiles) and files.is_busy):
            self.save(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the checkpoint at the end of an epoch."""
        self.save(trainer)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write it in a new run of no epoch, whose weights are those that it began with."""
        if 0 in (trainer.max_epochs, trainer.max_steps) and trainer.global_step == 0:
            self.save(trainer)
            # Lightning does so at the end of training, which there is none of
            trainer.strategy.checkpoint_io.teardown()

    def save(self, trainer: pl.Trainer) -> None:
        """Write it now; every process calls this."""
        if self.path is None:
            raise RuntimeError("last.ckpt has no path yet")
        trainer.save_checkpoint(self.path)
        self.timed.saved()


def more_follows(trainer: pl.Trainer) -> bool:
    """Whether a validation or the end of the epoch follows the latest batch."""
    loop, fetcher = trainer.fit_loop.epoch_loop, trainer.fit_loop._data_fetcher
    assert fetcher is not None
    return is_last_batch(trainer) or loop._should_check_val_fx(fetcher)
