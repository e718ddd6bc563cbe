"""last.ckpt: the checkpoint that a run resumes from, written at the end of every epoch and on Ctrl-C."""

from __future__ import annotations

import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, final

from lightning.pytorch.callbacks import Checkpoint

from vitcli.train.output.bar import say

if TYPE_CHECKING:
    from types import FrameType

    import lightning.pytorch as pl

CHECK_EVERY_BATCHES = 10


class Interrupted(Exception):  # noqa: N818 -- it is no error
    """The run was asked to stop, and is saved.

    Args:
        by: The signal that asked.
    """

    def __init__(self, by: signal.Signals) -> None:
        super().__init__(by.name)
        self.by = by


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
        self.asked: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Install the handler of Ctrl-C."""
        # the first process alone knows the run's folder, where several were started at once
        self.path = trainer.strategy.broadcast(self.path)
        self._handle(signal.SIGINT)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Install the handler of SIGTERM, over Lightning's own, which would end the process with code 0."""
        self._handle(signal.SIGTERM)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop here if asked to, on the boundary of an optimizer step."""
        if (batch_idx + 1) % trainer.accumulate_grad_batches and batch_idx + 1 < trainer.num_training_batches:
            return
        several = trainer.world_size > 1
        if several and (batch_idx + 1) % CHECK_EVERY_BATCHES and batch_idx + 1 < trainer.num_training_batches:
            return
        asked = self.asked is not None
        if trainer.strategy.reduce_boolean_decision(asked, all=False) if several else asked:
            self._save(trainer)
            raise Interrupted(self.asked or signal.SIGTERM)

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

    def _handle(self, number: signal.Signals) -> None:
        # a thread that is not the main one may not install any
        if threading.current_thread() is threading.main_thread():
            self._before[number] = signal.signal(number, self._ask)

    def _ask(self, signum: int, frame: FrameType | None) -> None:
        number = signal.Signals(signum)
        if self.asked is not None:
            self._restore()
            if number == signal.SIGTERM:
                raise SystemExit(128 + number)
            raise KeyboardInterrupt
        self.asked = number
        name = "Ctrl-C" if number == signal.SIGINT else number.name
        say(f"{name}: stopping after this step; once more stops at once", sys.stderr, typed=True)

    def _restore(self) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before = {}
