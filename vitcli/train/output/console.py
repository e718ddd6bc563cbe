"""Console output of a running verb: a progress bar, a line per epoch, and the images that could not be read."""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING, Any, final

from lightning.pytorch.callbacks import Callback, TQDMProgressBar

from vitcli.data.batches.order import epoch_length
from vitcli.names import printable
from vitcli.train.output.bar import ImageBar, in_words, say

if TYPE_CHECKING:
    import lightning.pytorch as pl

    from vitcli.data import Batch
    from vitcli.data.batches.datamodule import Batches, Split

SHOWN = ("train/loss", "val/loss", "train/accuracy", "val/accuracy")
READ_AFTER = 0.5


@final
class LossBar(TQDMProgressBar):
    """A progress bar that counts images, and tells the time left of the run and the loss of a step.

    Lightning's own counts batches, and reads the loss of every step. Each time the CPU waits until the GPU has finished
    all that is queued, and then the GPU waits for the CPU; here it is read twice a second.
    """

    BAR_FORMAT = "{l_bar}{bar}| {n_fmt}/{total_fmt} images, {rate_noinv_fmt}{postfix}"

    def __init__(self) -> None:
        super().__init__()
        self._read = float("-inf")
        self._shown: dict[str, float | str] = {}
        self._steps = 0
        self._first_step = 0.0

    def get_metrics(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """The numbers after the bar."""
        now = time.monotonic()
        if now - self._read >= READ_AFTER and "train/loss_step" in (reached := trainer.callback_metrics):
            left = {} if (left := self._seconds_left(trainer, now)) is None else {"run left": in_words(left)}
            self._read, self._shown = now, {**left, "train/loss_step": float(reached["train/loss_step"])}
        return self._shown | super().get_metrics(trainer, pl_module)

    def init_sanity_tqdm(self) -> ImageBar:
        """The bar of the first validation, which tries whether all works."""
        return self._bar(self.sanity_check_description, "val", leave=False)

    def init_train_tqdm(self) -> ImageBar:
        """The bar of training."""
        return self._bar(epoch_of(self.trainer), "train")

    def init_validation_tqdm(self) -> ImageBar:
        """The bar of validation, below that of training if there is one."""
        alone = self.trainer.state.fn == "validate"
        return self._bar(self.validation_description, "val", position=0 if alone else 1, leave=alone)

    def init_test_tqdm(self) -> ImageBar:
        """The bar of the test."""
        return self._bar(self.test_description, "test")

    def init_predict_tqdm(self) -> ImageBar:
        """The bar of predict."""
        return self._bar(self.predict_description, "predict")

    def on_train_start(self, trainer: pl.Trainer, *_: Any) -> None:
        """Begin the bar of an epoch that is resumed midway too, for which Lightning announces no start."""
        super().on_train_start(trainer)
        self._steps = 0
        self._begin(trainer)

    def on_train_epoch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        """Begin the bar of an epoch."""
        self._begin(trainer)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the images of a step."""
        self._steps += 1
        if self._steps == 1:
            # the first one starts workers, and compiles
            self._first_step = time.monotonic()
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """End the bars, so that what is said next has a line of its own."""
        bars = (self._val_progress_bar, self._train_progress_bar, self._test_progress_bar, self._predict_progress_bar)
        for bar in bars:
            if bar is not None:
                bar.close()

    def _bar(self, what: str, split: Split, *, position: int = 0, leave: bool = True) -> ImageBar:
        data: Batches = self.trainer.datamodule  # type: ignore[attr-defined]
        labels, done = data.listing(split).labels, data.done.get(split)
        left = len(labels) - (0 if done is None else int(done.sum()))
        return ImageBar(
            batch=data.batch_size * self.trainer.world_size,
            images=epoch_length(labels, data.sampler) if split == "train" else left,
            desc=what.lower(),
            position=position,
            disable=self.is_disabled,
            leave=leave,
            dynamic_ncols=True,
            file=sys.stdout,
            smoothing=0,
            bar_format=self.BAR_FORMAT,
        )

    def _begin(self, trainer: pl.Trainer) -> None:
        bar, total = self.train_progress_bar, self.total_train_batches
        bar.initial = 0
        bar.set_description(epoch_of(trainer), refresh=False)
        bar.reset(None if math.isinf(total) else int(total))

    def _seconds_left(self, trainer: pl.Trainer, now: float) -> float | None:
        """Time left of the run by the mean of the steps so far, validation included; None where no end is known."""
        done, left = self._steps - 1, batches_left(trainer)
        return None if done < 1 or math.isinf(left) else left * (now - self._first_step) / done


def batches_left(trainer: pl.Trainer) -> float:
    """How many batches are still to come when one has ended; infinite where no end is known."""
    left = math.inf
    if trainer.max_epochs is not None and trainer.max_epochs >= 0:
        done = trainer.current_epoch * trainer.num_training_batches + trainer.fit_loop.batch_idx + 1
        left = trainer.max_epochs * trainer.num_training_batches - done
    if trainer.max_steps >= 0:
        left = min(left, (trainer.max_steps - trainer.global_step) * trainer.accumulate_grad_batches)
    return max(0, left)


def epoch_of(trainer: pl.Trainer) -> str:
    """The present epoch as people count, and the last one: ``epoch 1/3``."""
    last = f"/{trainer.max_epochs}" if trainer.max_epochs and trainer.max_epochs > 0 else ""
    return f"epoch {trainer.current_epoch + 1}{last}"


@final
class EpochLines(Callback):
    """One line per epoch: what was reached, and how long it took."""

    def __init__(self) -> None:
        self._start = 0.0
        self._validated = False

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remember that this epoch has figures of its own for the validation images."""
        self._validated = not trainer.sanity_checking

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock of an epoch that is resumed midway, for which Lightning announces no start."""
        self._start = time.monotonic()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._start = time.monotonic()
        self._validated = False

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say what the epoch reached."""
        if trainer.is_global_zero:
            reached = trainer.callback_metrics
            shown = [key for key in SHOWN if key in reached and (self._validated or not key.startswith("val/"))]
            numbers = "  ".join(f"{key} {float(reached[key]):.4f}" for key in shown)
            seconds = time.monotonic() - self._start
            line = f"{epoch_of(trainer)}  {numbers}  {seconds:.0f} s"
            bar = trainer.progress_bar_callback
            if bar is not None and not isinstance(bar, TQDMProgressBar):
                # another one draws in ways of its own
                bar.print(line)
            else:
                say(line, sys.stdout)


@final
class Unreadable(Callback):
    """Names each image that could not be read, once, and counts them: none is ever replaced by another.

    In training, validation and test such an image is left out; predict writes a row with the reason.
    """

    def __init__(self) -> None:
        self.reasons: dict[tuple[str, str], str] = {}

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note a training batch's."""
        self._note(trainer, "train", batch)

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Note a validation batch's."""
        self._note(trainer, "val", batch)

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Note a test batch's."""
        self._note(trainer, "test", batch)

    def _note(self, trainer: pl.Trainer, split: str, batch: Batch) -> None:
        for index, reason in batch["errors"]:
            path = trainer.datamodule.listing(split).paths[index]  # type: ignore[attr-defined]
            if (split, path) not in self.reasons:
                self.reasons[split, path] = reason
                say(f"left out: {split} image {printable(path)}: {printable(reason)}", sys.stderr)
