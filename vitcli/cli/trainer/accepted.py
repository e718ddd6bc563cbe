"""Writing into a run's folder only after Lightning has accepted every setting, just before the first step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, final

from lightning.pytorch.callbacks import Callback

if TYPE_CHECKING:
    import lightning.pytorch as pl


@final
class WhenAccepted(Callback):
    """Calls a function once, when everything is set up and before the first step.

    Lightning looks at some settings only then, such as trainer.val_check_interval and what a resumed run continues. A
    run whose resume is refused stays as it was.

    Args:
        do: What is done; on the first process alone.
    """

    def __init__(self, do: Callable[[], None]) -> None:
        self._do = do
        self.is_accepted = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Of fit."""
        self._accept(trainer, "fit")

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Of a fit of no epoch, which starts no training."""
        self._accept(trainer, "fit")

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Of validate; fit validates too, even before its first step."""
        self._accept(trainer, "validate")

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Of test."""
        self._accept(trainer, "test")

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Of predict."""
        self._accept(trainer, "predict")

    def _accept(self, trainer: pl.Trainer, verb: str) -> None:
        if self.is_accepted or trainer.state.fn != verb:
            return
        self.is_accepted = True
        if trainer.is_global_zero:
            self._do()
