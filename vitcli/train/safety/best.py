"""best.ckpt: the checkpoint of the best epoch, which belongs to the run wherever its folder lies."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, final

import torch
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from vitcli.data import ImageData
from vitcli.errors import ConfigError
from vitcli.names import printable
from vitcli.train.output.bar import say

if TYPE_CHECKING:
    import lightning.pytorch as pl

TIE_BREAKER = "val/loss"
RIGHT = "val/accuracy"
# of two sets of weights that are equally good, one has as few errors less often than this
CHANCE = 0.3
Mode = Literal["auto", "min", "max"]


@final
class BestCheckpoint(ModelCheckpoint):
    """Lightning's ModelCheckpoint, which keeps the best of a run when the run's folder was moved or named otherwise.

    Of epochs with equal scores, as accuracies on few images often are, the one with the lower ``val/loss`` is the best.
    Weights that are offered before the first step, as a probe's head, stay the best until an epoch has fewer errors on
    val beyond chance: ten images cannot tell that a thousand weights, fitted to ninety, have become better.

    Args:
        monitor: Metric by which epochs are compared, such as val/accuracy or val/loss.
        mode: Whether the highest value is the best (max) or the lowest (min); auto: the lowest of a loss, else the
            highest.
        filename: Name of the file, without its ending.
        enable_version_counter: Whether a file of that name is kept beside the new one.
        **options: What ModelCheckpoint takes.

    Raises:
        ConfigError: save_last, which is not ModelCheckpoint's here, or several files of one name.
    """

    def __init__(
        self,
        monitor: str | None = "val/accuracy",
        mode: Mode = "auto",
        filename: str | None = "best",
        enable_version_counter: bool = False,
        **options: Any,
    ) -> None:
        if filename == "last":
            raise ConfigError("checkpoint.filename last: is the file to go on from; choose another name, such as best")
        if (wish := options.get("save_last")) is not None:
            raise ConfigError(
                f"checkpoint.save_last {str(wish).lower()}: last.ckpt is always kept, to go on from; leave it out"
            )
        count = options.get("save_top_k", 1)
        if count not in (0, 1) and "{" not in (filename or "{") and not enable_version_counter:
            raise ConfigError(
                f"checkpoint.save_top_k {count}: all would be called {filename}.ckpt, and only the latest kept; "
                "let checkpoint.filename tell them apart, such as best-{epoch}"
            )
        super().__init__(
            monitor=monitor,
            mode=direction(monitor) if mode == "auto" else mode,
            filename=filename,
            enable_version_counter=enable_version_counter,
            **options,
        )
        self.losses: dict[str, float] = {}
        # of weights that are offered, not trained
        self._offered: dict[str, Tensor] = {}
        # errors and images on val of offered weights, while they are the best
        self.head: tuple[int, int] | None = None
        self._sees_others = False

    def _ModelCheckpoint__warn_if_dir_not_empty(self, dirpath: Any) -> None:  # noqa: N802
        """Nothing is warned of, as a run's folder is its own; Lightning would import each installed store to look."""

    @property
    def state_key(self) -> str:
        """ModelCheckpoint's own, so that checkpoints written before this class existed are understood."""
        return super().state_key.replace(type(self).__qualname__, ModelCheckpoint.__qualname__, 1)

    def state_dict(self) -> dict[str, Any]:
        """What the last checkpoint has to know of the best one."""
        return {**super().state_dict(), "losses": self.losses, "head": self.head}

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Ask the images, which are set up before this, whether they are those of the run."""
        super().setup(trainer, pl_module, stage)
        self._sees_others = has_others(trainer)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what is known of the best, if its files lie in the folder of this run.

        Lightning compares the folders as they are spelt, and forgets the best where they differ.
        """
        if self._sees_others and (path := state_dict.get("best_model_path")):
            _tell(f"{path}: was chosen by other images than these; what is best is chosen anew, from here on")
            return
        here = {path: Path(str(self.dirpath)) / Path(path).name for path in state_dict.get("best_k_models", {})}
        gone = [path for path in here.values() if not path.is_file()]
        if gone:
            if state_dict.get("dirpath") == self.dirpath:
                _tell(f"{gone[0]}: is gone; what is best is chosen anew, from here on")
            # a run of its own that begins with a checkpoint of another has no best yet either
            return
        renamed = _renamed(state_dict, {before: str(path) for before, path in here.items()})
        state_dict = {**renamed, "dirpath": self.dirpath}
        self.losses = state_dict.get("losses", {})
        self.head = state_dict.get("head")
        super().load_state_dict(state_dict)

    def check_monitor_top_k(self, trainer: pl.Trainer, current: Tensor | None = None) -> bool:
        """Whether a score is one of the best; equal ones are compared by ``val/loss``."""
        if self.head is not None and not self._is_beyond_chance(trainer, *self.head):
            return False
        if super().check_monitor_top_k(trainer, current):
            return True
        loss, before = trainer.callback_metrics.get(TIE_BREAKER), self.losses.get(self.kth_best_model_path)
        if current is None or loss is None or before is None:
            return False
        is_equal = bool(torch.eq(current, self.best_k_models[self.kth_best_model_path]))
        return trainer.strategy.reduce_boolean_decision(is_equal and float(loss) < before)

    def offer(self, trainer: pl.Trainer, scores: dict[str, Tensor], images: int) -> None:
        """Keep the weights before the first step as the best so far; every process calls this.

        Args:
            trainer: Of the run.
            scores: What they reach on val, by key such as ``val/accuracy``.
            images: How many images that is of.
        """
        if self.save_top_k == 0:
            return
        self._offered = scores
        candidates = {**scores, "epoch": torch.tensor(0), "step": torch.tensor(0)}
        if self.monitor in scores:
            self._update_best_and_save(scores[self.monitor], trainer, candidates)
        elif self.monitor is None or trainer.max_epochs == 0:
            self._save_none_monitor_checkpoint(trainer, candidates)
        self._offered = {}
        if self.save_top_k == 1 and self.best_model_path and RIGHT in scores:
            self.head = _errors(scores[RIGHT], images), images

    def _is_beyond_chance(self, trainer: pl.Trainer, errors: int, images: int) -> bool:
        """Whether an epoch has fewer errors than the head beyond chance; by the same score in every process."""
        right = trainer.callback_metrics.get(RIGHT)
        return right is None or fewer_beyond_chance(_errors(right, images), errors)

    def _save_checkpoint(self, trainer: pl.Trainer, filepath: str) -> None:
        if (loss := {**trainer.callback_metrics, **self._offered}.get(TIE_BREAKER)) is not None:
            self.losses = {path: self.losses[path] for path in self.best_k_models if path in self.losses}
            self.losses[filepath] = float(loss)
        if not self._offered:
            self.head = None
        super()._save_checkpoint(trainer, filepath)


def has_others(trainer: pl.Trainer) -> bool:
    """Whether a run that goes on sees none of the images that it was begun with: earlier scores are of others."""
    return isinstance(data := getattr(trainer, "datamodule", None), ImageData) and data.are_others


def _tell(line: str) -> None:
    if rank_zero_only.rank == 0:  # type: ignore[attr-defined]
        say(printable(line), sys.stderr)


def _errors(right: Tensor, images: int) -> int:
    return round((1 - float(right)) * images)


def fewer_beyond_chance(errors: int, before: int) -> bool:
    """Whether weights that are no better would have so few errors on the same images in less than three of ten cases.

    The sign test of images on which the two differ, as if they shared no error: which they share is not known here.

    Args:
        errors: Of the weights in question.
        before: Of those that they would replace.
    """
    from scipy.special import bdtr

    return errors < before and float(bdtr(errors, errors + before, 0.5)) <= CHANCE


def direction(monitor: str | None) -> Literal["min", "max"]:
    """Whether lower or higher values of a metric are better."""
    return "min" if monitor is not None and monitor.rpartition("/")[2].startswith("loss") else "max"


def _renamed(value: Any, names: dict[str, str]) -> Any:
    """A nest of dictionaries with other names for files, be they keys or values."""
    if isinstance(value, dict):
        return {names.get(key, key): _renamed(held, names) for key, held in value.items()}
    return names.get(value, value) if isinstance(value, str) else value
