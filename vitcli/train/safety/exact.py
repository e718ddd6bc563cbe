"""Exact resume: what a checkpoint holds beside tensors, so that a resumed run has the same scores and curves too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from lightning.pytorch.callbacks import Callback

from vitcli.data.batches.position import ending, ends_early, is_in_epoch, leave_open, left_midway, position
from vitcli.train.metric_states import restore, states_of
from vitcli.train.optimizer import StepSchedule

if TYPE_CHECKING:
    import lightning.pytorch as pl

    from vitcli.train.classifier import Classifier
    from vitcli.train.output.csv_log import MetricsCsv

# what Lightning's counters say of an evaluation that has to be run from its start: its first batch is begun
BEGUN = {"ready": 1, "started": 1, "processed": 0, "completed": 0}


@final
class ExactResume(Callback):
    """Adds to each checkpoint the training metrics of the epoch so far, and the number of rows of metrics.csv.

    A checkpoint that is written inside a validation says that the validation is still to be done, and the resumed run
    begins with it. Lightning would go on with the batch that follows, and score what is left.

    Args:
        curves: metrics.csv; None until it is known.
    """

    def __init__(self) -> None:
        self.curves: MetricsCsv | None = None
        self._validates = False
        self._is_midway = False
        self._restored: dict[str, Any] | None = None

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """From here to the end of validation, a checkpoint holds that it is to be done."""
        self._validates = trainer.state.fn == "fit" and not trainer.sanity_checking

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Its scores are there; ModelCheckpoint, which is called after this, may keep the epoch as the best."""
        self._validates = False

    def on_save_checkpoint(  # type: ignore[override]
        self, trainer: pl.Trainer, pl_module: Classifier, checkpoint: dict[str, Any]
    ) -> None:
        """Add what is needed; called in every process."""
        is_early = ends_early(trainer)
        if is_early:
            leave_open(checkpoint["loops"]["fit_loop"], trainer.accumulate_grad_batches)
        if is_early or is_in_epoch(trainer):
            checkpoint["train_metrics"] = states_of(pl_module.scores.of_training(), trainer.world_size)
        if self.curves is not None:
            _log_now(trainer, self.curves)
            checkpoint["metrics_rows"] = self.curves.rows
        counted = checkpoint["loops"]["fit_loop"]["epoch_loop.val_loop.batch_progress"]
        completed = counted["total"]["completed"]
        if self._validates:
            done = completed - counted["current"]["completed"]
            counted["total"] = {key: done + count for key, count in BEGUN.items()}
            counted["current"] = dict(BEGUN)
            counted["is_last_batch"] = False
        else:
            # a validation that was begun anew has left its first beginning in the total
            counted["total"] = dict.fromkeys(BEGUN, completed)

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Refuse to go on with other batches, and remember the metrics of the epoch.

        Lightning would begin the epoch anew where it has fewer batches than were done, and show images twice.

        Raises:
            ConfigError: The checkpoint was left in the middle of an epoch, whose rest would be another.
        """
        self._is_midway = left_midway(checkpoint)
        if self._is_midway:
            trainer.datamodule.check_rest()  # type: ignore[attr-defined]
            trainer.datamodule.recount(checkpoint["loops"]["fit_loop"])  # type: ignore[attr-defined]
        # the module may not be on its device yet
        self._restored = checkpoint.get("train_metrics")

    def on_train_start(self, trainer: pl.Trainer, pl_module: Classifier) -> None:  # type: ignore[override]
        """Go on counting where the checkpoint was written, and on the curve of the learning rate."""
        if not self._is_midway:
            _keep_course(trainer)
        if self._restored is not None:
            restore(pl_module.scores.of_training(), self._restored, trainer.global_rank, trainer.world_size)
            pl_module.scores.has_counted = True
            self._restored = None


def _keep_course(trainer: pl.Trainer) -> None:
    """Go on at the learning rate of the epoch, where the steps of an epoch are now others than they were.

    After a change of the batch size at the end of an epoch, the number of steps done would be a place of another epoch.
    """
    done, _ = position(trainer)
    if trainer.max_steps != -1:
        return
    steps = -(-int(trainer.num_training_batches) // trainer.accumulate_grad_batches)
    for config in trainer.lr_scheduler_configs:
        if isinstance(config.scheduler, StepSchedule) and config.scheduler.last_epoch != done * steps:
            config.scheduler.go_to(done * steps)


def _log_now(trainer: pl.Trainer, curves: MetricsCsv) -> None:
    """Write into metrics.csv what Lightning is about to log: it does so after the callbacks, and they save.

    It then logs the same row again, which metrics.csv knows already.
    """
    what = ending(trainer) if trainer.training else None
    loop, connector = trainer.fit_loop.epoch_loop, trainer._logger_connector
    loggers, trainer.loggers = trainer.loggers, [curves]
    try:
        if what == "batch":
            connector.update_train_step_metrics()
        elif what == "epoch":
            # Lightning counts back in the same way, so that the row has the step of the epoch's last batch
            loop._batches_that_stepped -= 1
            connector.log_metrics(connector.metrics["log"])
            loop._batches_that_stepped += 1
    finally:
        trainer.loggers = loggers
