"""What the libraries say of a run and vitcli does not show, with the reason; and what it says in their place.

A message that is right about something the user can change is never silenced without words of our own.
"""

from __future__ import annotations

import logging
import re
import warnings
from typing import NamedTuple

from jsonargparse import Namespace

# Lightning's log: devices, versions, advertisements, the progress of Trainer.fit
LOGGERS = ("lightning.pytorch", "lightning.fabric")
# where rank_zero_info sends whatever it is given
MIXED_LOGGER = "lightning.pytorch.utilities.rank_zero"
# what was asked for, by a profiler, a summary or verbose; who did not ask for it, is told nothing there
ASKED_FOR = ("callbacks.early_stopping", "callbacks.model_summary", "profilers.profiler")
ASKED_FOR_OF_MIXED = re.compile(r"Epoch \d+, global step \d+: ")
LIMITS = ("limit_train_batches", "limit_val_batches", "limit_test_batches", "limit_predict_batches", "overfit_batches")


class Silenced(NamedTuple):
    """A warning that is not shown.

    Args:
        message: Pattern of its text.
        said_in: Module of the library that says it.
        reason: What it is right about, and why nobody has to be told.
    """

    message: str
    said_in: str
    reason: str


SILENCED = (
    Silenced(
        ".*number of training batches .* is smaller than the logging interval",
        "lightning.pytorch.loops.fit_loop",
        "an epoch may log no single step; its figures are logged at its end, and steps are counted across epochs",
    ),
    Silenced(
        ".*Checkpoint directory .* exists and is not empty",
        "lightning.pytorch.callbacks.model_checkpoint",
        "a run that goes on finds its own checkpoints; another run never gets the same folder",
    ),
    Silenced(
        ".*`isinstance\\(treespec, LeafSpec\\)` is deprecated",
        "torch.utils._pytree",
        "Lightning has to follow a coming torch; nobody else can do anything about it",
    ),
    Silenced(
        ".*lr_scheduler.step\\(\\).*before.*optimizer.step",
        "torch.optim.lr_scheduler",
        "with precision 16-mixed the first steps only look for a scale; the warm-up is shorter by as many",
    ),
    Silenced(
        ".*FSDP2-wrapped module .* returned a view tensor",
        "torch.distributed.fsdp._fully_shard._fsdp_state",
        "of what a block or the net returns, nothing is changed in place",
    ),
)


def quieten() -> None:
    """Silence what the libraries say of themselves, and nothing else."""
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ASKED_FOR:
        logging.getLogger(f"lightning.pytorch.{name}").setLevel(logging.INFO)
    mixed = logging.getLogger(MIXED_LOGGER)
    mixed.setLevel(logging.INFO)
    mixed.addFilter(_is_for_the_user)
    # a line, as everything else that the user is told
    warnings.formatwarning = lambda message, *_, **__: f"warning: {' '.join(str(message).split())}\n"
    for silenced in SILENCED:
        warnings.filterwarnings("ignore", message=silenced.message)


def _is_for_the_user(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or ASKED_FOR_OF_MIXED.match(record.getMessage()) is not None


def in_our_words(trainer: Namespace) -> list[str]:
    """What Lightning's silenced log says of settings that mean something else than they seem to.

    Args:
        trainer: The config of the Trainer.
    """
    lines = [
        f"trainer.{key} 1: one batch; 1.0 takes them all"
        for key in LIMITS
        if isinstance(trainer[key], int) and trainer[key] == 1
    ]
    if isinstance(trainer.val_check_interval, int) and trainer.val_check_interval == 1:
        lines.append("trainer.val_check_interval 1: validates after each batch; 1.0 does so once an epoch")
    if trainer.fast_dev_run:
        batches = "1 batch" if int(trainer.fast_dev_run) == 1 else f"{trainer.fast_dev_run} batches"
        lines.append(f"trainer.fast_dev_run: {batches} and one epoch, only to see that a run works; no best checkpoint")
    return lines
