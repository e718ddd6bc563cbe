"""Settings of Lightning's Trainer: vitcli's defaults, and those that would make numbers wrong refused."""

from __future__ import annotations

import re
import sys
from typing import Any

import torch
from jsonargparse import Namespace
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, ProgressBar, Timer, WeightAveraging
from torch import nn

from vitcli.cli.trainer.launched import as_launched
from vitcli.errors import ConfigError
from vitcli.net.kernels.dense import has_bfloat16
from vitcli.train.output.console import LossBar

DEFAULT_EPOCHS = 20
TRAINER_DEFAULTS = {
    "gradient_clip_val": 1.0,
    "log_every_n_steps": 10,
    "num_sanity_val_steps": 0,
    "enable_model_summary": False,
    "use_distributed_sampler": False,
}
CANNOT_WORK = {
    "StochasticWeightAveraging": "its average is in no checkpoint, and its run cannot be resumed; leave it out",
    "LearningRateFinder": "changes a learning rate that the schedule then overwrites; set model.optimizer.lr",
    "BackboneFinetuning": "looks for a net in two parts; for a frozen net, set model.freeze backbone",
    "BaseFinetuning": "is made to be derived from; for a frozen net, set model.freeze",
}
AVERAGING = (
    "confuses the weights and their average where a validation fails, and its checkpoints do not say which is which; "
    "say --ema.decay 0.999 instead"
)
DURATION = re.compile(r"\d+(:\d\d){3}")
# Lightning takes all of them for bf16-mixed on a CPU
MIXED = ("16", "bf16", "16-mixed", "bf16-mixed")


def trainer_settings(
    trainer: Namespace, net: nn.Module, root: str, own: list[Callback], kept: ModelCheckpoint
) -> dict[str, Any]:
    """What the Trainer is given beside what the config says of it, and what it is not given.

    Args:
        trainer: The config of the Trainer.
        net: What is trained or used.
        root: Folder that holds the runs.
        own: Our callbacks; a progress bar is added where there is a terminal to draw it on.
        kept: What keeps the best checkpoint.

    Raises:
        ConfigError: A setting under which the numbers would be wrong, or the run would have no end.
    """
    if trainer.use_distributed_sampler:
        raise ConfigError(
            "trainer.use_distributed_sampler true: vitcli deals the images out to the processes itself, each "
            "exactly once, where Lightning's sampler repeats some; leave it out"
        )
    if trainer.max_epochs == -1 and trainer.max_steps == -1 and trainer.max_time is None:
        raise ConfigError(
            "trainer.max_epochs -1: the learning rate has to know where the run ends; "
            "give a number of epochs, or trainer.max_steps"
        )
    if trainer.accumulate_grad_batches is not None and trainer.accumulate_grad_batches < 1:
        raise ConfigError(
            f"trainer.accumulate_grad_batches {trainer.accumulate_grad_batches}: below 1; 1 makes a step of each batch"
        )
    if isinstance(trainer.max_time, str) and not DURATION.fullmatch(trainer.max_time.strip()):
        raise ConfigError(
            f"trainer.max_time {trainer.max_time}: is no time; say DD:HH:MM:SS, such as 00:02:30:00 for two and a half "
            "hours"
        )
    given = trainer.callbacks if isinstance(trainer.callbacks, list) else [trainer.callbacks]
    for callback in given:
        if reason := CANNOT_WORK.get(type(callback).__name__):
            raise ConfigError(f"trainer.callbacks {type(callback).__name__}: {reason}")
        if isinstance(callback, ModelCheckpoint) and callback.state_key == kept.state_key:
            raise ConfigError(
                f"trainer.callbacks {type(callback).__name__}: keeps by {kept.monitor} what best.ckpt is; leave it "
                "out, or set checkpoint.filename, checkpoint.save_top_k, ..."
            )
        if isinstance(callback, WeightAveraging):
            raise ConfigError(f"trainer.callbacks {type(callback).__name__}: {AVERAGING}")
    if trainer.max_time is not None and any(isinstance(callback, Timer) for callback in given):
        raise ConfigError(
            f"trainer.max_time {trainer.max_time}: has no effect beside a Timer in trainer.callbacks; leave one "
            "of them out"
        )
    if trainer.enable_checkpointing is False:
        raise ConfigError(
            "trainer.enable_checkpointing false: a run can be resumed and used by its last checkpoint, which is always "
            "kept; to keep no best one, set checkpoint.save_top_k 0"
        )
    if trainer.barebones:
        raise ConfigError(
            "trainer.barebones true: leaves out checkpoints and metrics, which vitcli needs; leave it out"
        )
    if isinstance(trainer.logger, bool):
        raise ConfigError(
            f"trainer.logger {str(trainer.logger).lower()}: metrics.csv is always written; name a logger to have "
            "beside it, such as CSVLogger, or leave it out"
        )
    if trainer.sync_batchnorm and not any(
        isinstance(module, nn.modules.batchnorm._BatchNorm) for module in net.modules()
    ):
        raise ConfigError("trainer.sync_batchnorm true: the net has no batch norm; leave it out")
    shown = sys.stdout.isatty() if trainer.enable_progress_bar is None else trainer.enable_progress_bar
    own_bar = any(isinstance(callback, ProgressBar) for callback in given)
    if shown and not own_bar:
        # the same bar everywhere; Lightning takes another one where rich happens to be installed
        own.append(LossBar())
    settings: dict[str, Any] = {"default_root_dir": trainer.default_root_dir or root, "enable_progress_bar": shown}
    settings |= as_launched(trainer)
    if trainer.max_epochs is None and trainer.max_steps == -1 and trainer.max_time is None:
        settings["max_epochs"] = DEFAULT_EPOCHS
    if is_slower_mixed(trainer):
        settings["precision"] = "32-true"
    return settings


def is_slower_mixed(trainer: Namespace) -> bool:
    """Whether mixed precision was asked for on a CPU without bfloat16 instructions.

    Who asks for it wants it faster and smaller. On such a CPU, as in most laptops, torch takes 90 times as long
    for a product in bfloat16 as in float32 (docs/lab/2026-11-25.md).

    Args:
        trainer: The config of the Trainer.
    """
    on_cpu = trainer.accelerator == "cpu" or (trainer.accelerator == "auto" and not torch.accelerator.is_available())
    return on_cpu and str(trainer.precision) in MIXED and not has_bfloat16()
