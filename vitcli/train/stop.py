"""Early stopping: a training ends when a metric gets no better; the count survives a resume.

Lightning's EarlyStopping takes its patience from the checkpoint whatever is said today, stops at the first value that
is no number, and trains one more epoch when a run that it has stopped is resumed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from lightning.pytorch.callbacks import Callback

from vitcli.data.batches.position import is_in_epoch, position
from vitcli.errors import ConfigError
from vitcli.names import counted
from vitcli.train.safety.best import direction, has_others

if TYPE_CHECKING:
    import lightning.pytorch as pl


@dataclass(frozen=True)
class StopOptions:
    """When a training ends before its last epoch.

    Args:
        patience: After how many validations in a row without a better value it ends, with the epoch; null: never. Of a
            metric of train, epochs are counted.
        monitor: The metric; of a loss lower is better, of any other higher.
        min_delta: By how much more than this a value has to be better than the best one.

    Raises:
        ConfigError: A patience below 1, or a min_delta that is negative or no number.
    """

    patience: int | None = None
    monitor: str = "val/loss"
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        if self.patience is not None and self.patience < 1:
            raise ConfigError(f"stop.patience {self.patience}: below 1; 5 is usual, and null never stops early")
        if not 0 <= self.min_delta < math.inf:
            raise ConfigError(f"stop.min_delta {self.min_delta}: must be 0 or a positive number")


@final
class Stop(Callback):
    """Counts validations without a better value of a metric, and ends the training with the epoch of the last one.

    With the epoch, not within it, so that a run that is given more patience goes on as if it had never stopped. A value
    that is no number is no better than any.

    Args:
        options: Metric, patience and margin.
    """

    def __init__(self, options: StopOptions) -> None:
        self.options = options
        self.best: float | None = None
        self.count = 0
        self._sees_others = False

    @property
    def monitor(self) -> str | None:
        """The metric that is waited for, if any."""
        return None if self.options.patience is None else self.options.monitor

    @property
    def is_over(self) -> bool:
        """Whether patience is at its end."""
        return self.options.patience is not None and self.count >= self.options.patience

    @property
    def reason(self) -> str:
        """Why it stopped, behind a colon."""
        verb = "fell below" if direction(self.options.monitor) == "min" else "rose above"
        by = f" by more than {self.options.min_delta:g}" if self.options.min_delta else ""
        than = "was a number" if self.best is None else f"{verb} {self.best:.4f}{by}"
        looks = "validation" if self._validates else "epoch"
        return f"{self.options.monitor} never {than} in {counted(self.count, looks)}"

    def has_stopped(self, trainer: pl.Trainer) -> bool:
        """Whether it was this that ended a training."""
        return self.is_over and trainer.should_stop and trainer.fit_loop.max_epochs != trainer.current_epoch

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Ask the images, which are set up before this, whether they are those of the run."""
        self._sees_others = has_others(trainer)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Train no further where the run that is resumed had stopped already."""
        if not is_in_epoch(trainer):
            self._end(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at a metric of val."""
        if trainer.state.fn == "fit" and not trainer.sanity_checking and self._validates:
            self._look(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at a metric of train, and end the training if it is time."""
        if not self._validates:
            self._look(trainer)
        self._end(trainer)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint has to know."""
        if self.monitor is None:
            return {}
        return {"monitor": self.monitor, "best": self.best, "count": self.count}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting, unless it is another metric now, or one of other images."""
        if state_dict["monitor"] == self.monitor and not self._sees_others:
            self.best, self.count = state_dict["best"], state_dict["count"]

    @property
    def _validates(self) -> bool:
        return self.options.monitor.startswith("val/")

    def _look(self, trainer: pl.Trainer) -> None:
        found = None if self.monitor is None else trainer.callback_metrics.get(self.monitor)
        if found is None:
            return
        # all processes judge the same number
        value: float = trainer.strategy.broadcast(float(found))
        if self._is_better(value):
            self.best, self.count = value, 0
        else:
            self.count += 1

    def _is_better(self, value: float) -> bool:
        if self.best is None or math.isnan(value):
            return not math.isnan(value)
        gain = self.best - value if direction(self.options.monitor) == "min" else value - self.best
        return gain > self.options.min_delta

    def _end(self, trainer: pl.Trainer) -> None:
        epochs, _ = position(trainer)
        # Lightning would remember it until its fewest epochs are over, whatever comes in between
        is_allowed = epochs >= (trainer.min_epochs or 0) and trainer.global_step >= (trainer.min_steps or 0)
        if self.is_over and is_allowed:
            trainer.should_stop = True
