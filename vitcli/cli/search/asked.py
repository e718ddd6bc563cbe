"""The words of ``vitcli search`` itself, and those of fit, which all of its trials share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from vitcli.cli.idle import typed
from vitcli.cli.plain_parser import PlainParser
from vitcli.cli.shipped import shipped
from vitcli.cli.words import split_off
from vitcli.errors import ConfigError
from vitcli.names import at_home

OWN = ("--space", "--trials", "--minutes", "--study", "--objective", "--to-wandb")
DEFAULT_TRIALS = 20
# what a search says to its trials itself
TAKEN = {
    "run.name": "trials are named by their number; name the study with --study DIR/NAME",
    "run.dir": "trials lie in the study's folder; name it with --study DIR/NAME",
    "run.resume": "trials go on by themselves; leave it out",
    "ckpt_path": "each trial is a run of its own; to start all of them from its tensors, say --weights",
}


class Asked(NamedTuple):
    """The words of the search itself.

    Args:
        space: Of the space: a file, or a short name.
        trials: How many there are to be in all.
        minutes: After how many to stop; None: never.
        study: Its folder; None: by the config.
        objective: The metric; None: the config's.
        to_wandb: A sweep file to write instead.
        words: Those of fit.
    """

    space: str
    trials: int
    minutes: float | None
    study: str | None
    objective: str | None
    to_wandb: str | None
    words: list[str]


def asked(words: Sequence[str]) -> Asked:
    """The words of the search itself, and those of fit.

    Args:
        words: The words after search.

    Raises:
        ConfigError: One of them is missing, no number, or not to be said here.
    """
    own, rest = split_off(words, OWN)
    parser = PlainParser(prog="vitcli search", add_help=False, allow_abbrev=False)
    parser.add_argument("--space")
    parser.add_argument("--trials", type=int, default=DEFAULT_TRIALS)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--study")
    parser.add_argument("--objective")
    parser.add_argument("--to-wandb")
    told: argparse.Namespace = parser.parse_args(
        [word for option, value, _ in own for word in (option, *([] if value is None else [value]))]
    )
    if not told.space:
        names = ", ".join(name.partition("/")[2] for name in shipped() if name.startswith("spaces/"))
        raise ConfigError(f"--space is missing: what is to be searched? A YAML file, or one of {names}")
    for option, value in (("--study", told.study), ("--objective", told.objective), ("--to-wandb", told.to_wandb)):
        if value == "":
            raise ConfigError(f"{option} '': is empty; name one, or leave it out")
    if told.trials < 1:
        raise ConfigError(f"--trials {told.trials}: below 1; say how many there are to be in all")
    if told.minutes is not None and not told.minutes > 0:
        raise ConfigError(f"--minutes {told.minutes:g}: must be above 0; leave it out for no limit")
    for key, value in typed(rest):
        if why := TAKEN.get(key):
            raise ConfigError(f"--{key} {value}: {why}")
    return Asked(told.space, told.trials, told.minutes, told.study, told.objective, told.to_wandb, rest)


def space_file(typed: str) -> Path:
    """The file of a space: a path, or the short name of a shipped one."""
    path = Path(at_home(typed))
    known = shipped()
    return path if path.is_file() else known.get(f"spaces/{typed}", known.get(typed, path))
