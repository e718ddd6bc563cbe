"""Loggers of a verb beside metrics.csv: those that its config names, and wandb's once the run's folder is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jsonargparse import Namespace

from vitcli.run import Run
from vitcli.train.output.wandb_log import PatientWandbLogger, wandb_logger


def logger_names(trainer: Namespace) -> list[str]:
    """The classes of the loggers that a trainer's config names."""
    given = trainer.logger if isinstance(trainer.logger, list) else [trainer.logger]
    return [str(one.class_path).rpartition(".")[2] for one in given if isinstance(one, Namespace)]


def take_wandb(trainer: Namespace) -> list[dict[str, Any]]:
    """Take WandbLogger out of a trainer's config: it is built when the run's folder, which keeps its id, is known."""
    given = trainer.logger
    listed = given if isinstance(given, list) else [given]
    wandb = [one for one in listed if isinstance(one, Namespace) and one.class_path.endswith(".WandbLogger")]
    if wandb:
        trainer.logger = [one for one in listed if one not in wandb] or None
    return [one.init_args.as_dict() if one.get("init_args") else {} for one in wandb]


def loggers_of(given: Any, wandb: Sequence[dict[str, Any]], verb: str, run: Run | None) -> list[Any]:
    """The loggers of a verb; none for predict, which reaches no score.

    Args:
        given: What ``trainer.logger`` has built.
        wandb: What ``take_wandb`` has taken out of it.
        verb: fit, validate, test or predict.
        run: The run; None on a process that writes nothing.
    """
    if verb == "predict":
        return []
    found = [logger for logger in (given if isinstance(given, list) else [given]) if logger is not None]
    return found + [wandb_logger(run, options) for options in wandb]


def close_loggers(given: Sequence[Any]) -> None:
    """Let loggers store what they hold.

    Args:
        given: Of a trainer.
    """
    for logger in given:
        if isinstance(logger, PatientWandbLogger):
            logger.finish()
