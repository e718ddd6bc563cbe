"""last.ckpt: the checkpoint that a run resumes from, written at the end of every epoch and on Ctrl-C."""

from __future__ import annotations

import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, final

from lightning.pytorch.callbacks import Checkpoint

if TYPE_CHECKING:
    from types import FrameType

    import lightning.pytorch as pl

CHECK_EVERY_BATCHES = 10


class Interrupted(Exception):  # noqa: N818 -- it is no error
    """The user asked to stop, and the run is saved."""


@final
class KeepLast(Checkpoint):
    """Writes ``last.ckpt`` at the end of every epoch, and on Ctrl-C after the step in progress.

    ModelCheckpoint writes its own last.ckpt only when it has found a new best. This one is a Checkpoint so that
    it is called after ModelCheckpoint, whose record of the best it has to hold.

    A second Ctrl-C stops at once, with whatever checkpoints there are. Several processes agree on the step at
    which they stop, by asking each other every ten batches.

    """

    def __init__(self) -> None:
        self.path: str | None = None
        self.asked = False
        self._before: Any = None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Install the handler of Ctrl-C."""
        # the first process alone knows the run's folder, where several were started at once
        self.path = trainer.strategy.broadcast(self.path)
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._ask)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop here if asked to, on the boundary of an optimizer step."""
        if (batch_idx + 1) % trainer.accumulate_grad_batches and batch_idx + 1 < trainer.num_training_batches:
            return
        several = trainer.world_size > 1
        if several and (batch_idx + 1) % CHECK_EVERY_BATCHES and batch_idx + 1 < trainer.num_training_batches:
            return
        if trainer.strategy.reduce_boolean_decision(self.asked, all=False) if several else self.asked:
            self._save(trainer)
            raise Interrupted

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the checkpoint at the end of an epoch."""
        self._save(trainer)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Restore the previous handler of Ctrl-C."""
        self._restore()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Restore the previous handler of Ctrl-C."""
        self._restore()

    def _save(self, trainer: pl.Trainer) -> None:
        if self.path is None:
            raise RuntimeError("last.ckpt has no path yet")
        trainer.save_checkpoint(self.path)

    def _ask(self, signum: int, frame: FrameType | None) -> None:
        if self.asked:
            self._restore()
            raise KeyboardInterrupt
        self.asked = True
        print("\nCtrl-C: stopping after this step; once more stops at once", file=sys.stderr, flush=True)

    def _restore(self) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None
