"""EvenForwards: of a split net, each process calls it as often as the one with most batches of a validation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import torch
from lightning.pytorch.callbacks import Callback

from vitcli.train.sharding.strategy import FSDP2

if TYPE_CHECKING:
    import lightning.pytorch as pl

    from vitcli.train.classifier import Classifier


@final
class EvenForwards(Callback):
    """Lets a process that has no more images run along, as long as another one still gathers weights from it.

    Images that are not dealt out evenly make a batch more here than there. With a net that is not split that is nothing
    to wait for; a split one would wait for ever.
    """

    def __init__(self) -> None:
        self._own, self._lacking = 0, 0

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Find out how many batches another process has more; afterwards, they wait in different collectives."""
        strategy, self._lacking = trainer.strategy, 0
        if isinstance(strategy, FSDP2) and trainer.world_size > 1:
            self._own = sum(int(batches) for batches in trainer.num_val_batches)
            most = int(strategy.reduce(torch.tensor(self._own, device=strategy.root_device), reduce_op="max"))
            self._lacking = most - self._own

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: Classifier,  # type: ignore[override]
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Run along after the last batch: what follows puts the metrics of all processes together."""
        if isinstance(trainer.strategy, FSDP2) and batch_idx == self._own - 1:
            views = 1 if pl_module.asked.tta == "none" else 2
            with trainer.precision_plugin.val_step_context():
                trainer.strategy.run_along(pl_module, self._lacking * views)
