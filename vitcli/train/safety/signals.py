"""Stops: a training that is asked to stop by a signal is saved at the next step, or in a validation, and ends."""

from __future__ import annotations

import math
import signal
import sys
from typing import TYPE_CHECKING, Any, final

import torch
from lightning.pytorch.callbacks import Checkpoint

from vitcli.data.batches.position import is_between_steps, is_last_batch
from vitcli.machine.signals import SIGNALS, Stopped
from vitcli.train.output.bar import say
from vitcli.train.safety.last import KeepLast, more_follows
from vitcli.train.safety.write import CheckpointFiles

if TYPE_CHECKING:
    import lightning.pytorch as pl

    from vitcli.train.safety.ranks import Ranks

# a validation may compile the net, which takes minutes; it is done again anyway
PATIENCE_SECONDS = 10.0


class Interrupted(Stopped):
    """The run was asked to stop, and is saved.

    Args:
        number: The signal that asked.
    """

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(f"stopped by {number.name}", 128 + number, number)


@final
class Stops(Checkpoint):
    """Saves the run and ends it where it was asked to stop: after an optimizer step, in or after a validation.

    Before the first step there is nothing to save, and the process leaves at once. A Checkpoint, so that it is called
    after KeepLast, and that after ModelCheckpoint.

    Args:
        last: Writes last.ckpt.
        ranks: Decide, where there are several processes, at which step all of them stop.
    """

    def __init__(self, last: KeepLast, ranks: Ranks) -> None:
        self._last = last
        self._ranks = ranks
        self._batches_of_all = 0

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Let the processes know of each other, as soon as there are several."""
        environment = getattr(trainer.strategy, "cluster_environment", None)
        address = "" if environment is None else environment.main_address
        self._ranks.connect(trainer.strategy, address, is_one_machine=trainer.num_nodes == 1)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """From the first step on there is something to save; one that first compiles the net is not waited for."""
        if not getattr(pl_module, "compiles", False):
            _wait_for_steps()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop here if asked to, on the boundary of an optimizer step.

        What follows the last batch of an epoch, or one after which there is a validation, is begun first: Lightning
        would leave it out when the run is resumed.
        """
        if not is_between_steps(trainer):
            return
        _wait_for_steps()
        if not more_follows(trainer):
            self._stop_if_asked(trainer)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Find out how many of its batches all processes have."""
        if not self._is_in_training(trainer):
            return
        own = sum(int(batches) for batches in trainer.num_val_batches)
        if trainer.world_size > 1:
            fewest = trainer.strategy.reduce(torch.tensor(own, device=trainer.strategy.root_device), reduce_op="min")
            self._batches_of_all = int(fewest)
        else:
            self._batches_of_all = own
            # between the batches of a step there is nothing that could be saved
            SIGNALS.patience = PATIENCE_SECONDS if is_between_steps(trainer) else math.inf

    def on_validation_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Stop here if asked to; the resumed run begins the validation anew (ExactResume)."""
        if self._is_in_training(trainer) and batch_idx < self._batches_of_all and is_between_steps(trainer):
            self._stop_if_asked(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop here if asked to; the best of the run is known, but at the end of an epoch, where it is chosen later."""
        if self._is_in_training(trainer):
            SIGNALS.patience = math.inf
            if is_between_steps(trainer) and not is_last_batch(trainer):
                self._stop_if_asked(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop here if asked to; last.ckpt is saved already."""
        if self._ranks.stops_here():
            self._leave(trainer)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Save what was reached if a validation is left that took too long."""
        SIGNALS.is_leaving = True
        if isinstance(exception, Stopped) and 0 < SIGNALS.patience < math.inf and trainer.world_size == 1:
            self._last.save(trainer)
            SIGNALS.patience = 0.0
            raise Interrupted(exception.by or signal.SIGTERM) from exception

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Leave at once again, when there is nothing more to save."""
        SIGNALS.patience = 0.0

    def raise_if_asked(self) -> None:
        """Stop after the last step; nothing of the training is left to do.

        Raises:
            Interrupted: This process, or one of the others, was asked to stop.
        """
        SIGNALS.check()
        if (by := self._ranks.asked_by) is not None:
            SIGNALS.is_leaving = True
            raise Interrupted(by)

    def _is_in_training(self, trainer: pl.Trainer) -> bool:
        """Whether a validation belongs to a training of which there is something to save."""
        return trainer.state.fn == "fit" and not trainer.sanity_checking and SIGNALS.patience > 0

    def _stop_if_asked(self, trainer: pl.Trainer) -> None:
        if self._ranks.stops_here():
            self._last.save(trainer)
            self._leave(trainer)

    def _leave(self, trainer: pl.Trainer) -> None:
        """End, when the file is there: a launcher may end all other processes as soon as one has ended."""
        if isinstance(trainer.strategy.checkpoint_io, CheckpointFiles):
            trainer.strategy.checkpoint_io.wait()
        trainer.strategy.barrier("stopped")
        SIGNALS.is_leaving = True
        raise Interrupted(self._ranks.asked_by or signal.SIGTERM)


def _wait_for_steps() -> None:
    """Let a signal wait for the step in progress from now on."""
    if not SIGNALS.patience:
        SIGNALS.on_asked = _say
        SIGNALS.patience = math.inf


def _say(number: signal.Signals) -> None:
    name = "Ctrl-C" if number == signal.SIGINT else number.name
    say(f"{name}: stopping after this step; once more stops at once", sys.stderr, typed=True)
