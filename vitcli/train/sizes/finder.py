"""FindSizes: what is ``auto`` is found when everything is built, before the first step, and becomes a setting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy

from vitcli.data.batches.order import epoch_length
from vitcli.errors import ConfigError
from vitcli.names import counted
from vitcli.train.sizes.batch_size import largest_batch, split
from vitcli.train.sizes.rate import Curve, range_test
from vitcli.train.sizes.trial import Trial, trial

if TYPE_CHECKING:
    import lightning.pytorch as pl

    from vitcli.data.batches.datamodule import Batches
    from vitcli.train.classifier import Classifier

AUTO = "auto"


@final
class FindSizes(Callback):
    """Finds batch size and learning rate of a new run, if they are to be found, in Lightning's setup.

    By then the processes know each other and their devices, and neither loaders nor optimizer nor schedule are built,
    so that there is nothing to build anew. The batch size comes first: the rate depends on it.

    Args:
        batch_size: Whether the batch size is to be found.
        rate: Whether the learning rate is.
        found: Is told key and number of each setting that was found, in every process.
    """

    def __init__(self, batch_size: bool, rate: bool, found: Callable[[str, Any], None]) -> None:
        self.batch_size = batch_size
        self.rate = rate
        self._found = found
        # where the plot of the rates goes; None: nowhere
        self.folder: Path | None = None
        self._curve: Curve | None = None

    def setup(self, trainer: pl.Trainer, pl_module: Classifier, stage: str) -> None:  # type: ignore[override]
        """Find them.

        Raises:
            ConfigError: Each process has a part of the net alone, or there is no number that would do.
        """
        if stage != "fit" or not (self.batch_size or self.rate):
            return
        if not isinstance(trainer.strategy, SingleDeviceStrategy | DDPStrategy):
            key = "data.batch_size" if self.batch_size else "model.optimizer.lr"
            raise ConfigError(
                f"{key} auto: is not searched for with {type(trainer.strategy).__name__}, under which a process has a "
                "part of the net alone; give a number"
            )
        data: Batches = trainer.datamodule  # type: ignore[attr-defined]
        if self.batch_size:
            # any number, until it is known
            data.batch_size = 1
            with trial(trainer, pl_module, data) as steps:
                self._say(trainer, self._find_batch_size(trainer, data, steps))
        if self.rate:
            with trial(trainer, pl_module, data) as steps:
                self._curve = range_test(steps, trainer.accumulate_grad_batches)
            rate = self._curve.chosen
            pl_module.optimizer_settings = replace(pl_module.optimizer_settings, lr=rate)
            pl_module.hparams["optimizer"]["lr"] = rate
            self._found("model.optimizer.lr", rate)
            why = (
                "a tenth of the rate of the lowest loss"
                if self._curve.speaks
                else "the usual one, as the loss hardly falls"
            )
            self._say(trainer, f"model.optimizer.lr {rate:g}: {why} in {counted(len(self._curve.rates), 'step')}")

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the loss at each rate, now that the run is accepted."""
        if self._curve is not None and self.folder is not None and trainer.is_global_zero:
            # takes a while to import
            from vitcli.report.charts.rates import draw_rates

            draw_rates(self.folder, self._curve.rates, self._curve.losses, self._curve.chosen)

    def _find_batch_size(self, trainer: pl.Trainer, data: Batches, steps: Trial) -> str:
        processes = trainer.world_size
        images = epoch_length(data.listing("train").labels, data.sampler)
        most = images // processes if data.global_batch is None else max(1, data.global_batch // processes)
        found = largest_batch(steps, max(1, min(most, images // processes)))
        size = torch.tensor(found.size, device=trainer.strategy.root_device)
        fits = int(trainer.strategy.reduce(size, reduce_op="min")) if processes > 1 else found.size
        summed = trainer.accumulate_grad_batches
        if data.global_batch is not None:
            fits, summed = split(data.global_batch, fits, processes)
            trainer.accumulate_grad_batches = summed
            self._found("trainer.accumulate_grad_batches", summed)
        data.batch_size = fits
        self._found("data.batch_size", fits)
        step = f", {fits * summed * processes} images a step" if summed * processes > 1 else ""
        why = found.why if fits == found.size else f"of up to {found.size} that fit"
        return f"data.batch_size {fits}{step}: {why} ({counted(found.trials, 'trial')}, {found.seconds:.0f} s)"

    def _say(self, trainer: pl.Trainer, line: str) -> None:
        if trainer.is_global_zero:
            print(line, flush=True)
