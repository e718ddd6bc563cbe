"""Monitored metrics: a callback that waits for a metric which is never logged is refused before the first step."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING, final

from lightning.pytorch.callbacks import Callback

from vitcli.errors import ConfigError
from vitcli.train.metrics import collection
from vitcli.train.safety.best import BestCheckpoint
from vitcli.train.stop import Stop

if TYPE_CHECKING:
    import lightning.pytorch as pl

    from vitcli.train.classifier import Classifier


def metric_names(classes: int, stage: str) -> list[str]:
    """The metrics that a stage (train or val) logs, each under its key."""
    return [f"{stage}/loss", *map(str, collection(classes, stage).keys())]


def check_monitor(key: str, monitor: str, names: Iterable[str]) -> None:
    """Nothing, if there is a metric of that name.

    Raises:
        ConfigError: There is none.
    """
    known = list(names)
    if monitor in known:
        return
    near = difflib.get_close_matches(monitor.replace("_", "/", 1), known, n=1, cutoff=0.5)
    meant = f"did you mean {near[0]}? " if near else ""
    raise ConfigError(f"{key} {monitor}: there is no such metric; {meant}There are {', '.join(known)}")


@final
class Monitors(Callback):
    """Checks what the other callbacks wait for, before anything is trained."""

    def on_fit_start(self, trainer: pl.Trainer, pl_module: Classifier) -> None:  # type: ignore[override]
        """Compare each ``monitor`` with the metrics of train and, where there is a validation, of val.

        Without a validation there is no best epoch, and only the last checkpoint is kept.

        Raises:
            ConfigError: A metric that is never logged.
        """
        validates = len(trainer.datamodule.listing("val")) > 0 and trainer.limit_val_batches != 0  # type: ignore[attr-defined]
        stages = ["train", "val"] if validates else ["train"]
        names = [name for stage in stages for name in metric_names(len(pl_module.classes), stage)]
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            monitor = getattr(callback, "monitor", None)
            if not isinstance(monitor, str):
                continue
            if isinstance(callback, BestCheckpoint):
                if not validates and monitor in metric_names(len(pl_module.classes), "val"):
                    callback.save_top_k = 0
                    continue
                key = "checkpoint.monitor"
            elif isinstance(callback, Stop):
                key = "stop.monitor"
                if not validates and monitor in metric_names(len(pl_module.classes), "val"):
                    raise ConfigError(
                        f"stop.patience {callback.options.patience}: waits for {monitor}, and there is no validation; "
                        "validate, or say --stop.monitor train/loss"
                    )
            else:
                key = f"trainer.callbacks {type(callback).__name__}.monitor"
            check_monitor(key, monitor, [*names, "train/lr"])
