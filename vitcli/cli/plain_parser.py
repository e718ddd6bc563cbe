"""PlainParser: argparse that raises a mistake instead of ending the process, for verbs without a Trainer."""

from __future__ import annotations

import argparse
import math
from typing import NoReturn, final

from vitcli.errors import ConfigError


@final
class PlainParser(argparse.ArgumentParser):
    """argparse exits by itself on an unknown option, whatever it is told."""

    def error(self, message: str) -> NoReturn:
        """Raise it, with where to read on."""
        raise ConfigError(f"{message.removeprefix('argument ')}; see {self.prog} -h")


def number(typed: str) -> float:
    """A number as it was typed; nan for what is none, which no range holds, so that the range can be told."""
    try:
        return float(typed)
    except ValueError:
        return math.nan


def truth(typed: str) -> bool:
    """Whether a word is true, or is false, as in a config.

    Raises:
        argparse.ArgumentTypeError: It is neither.
    """
    if typed.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{typed} is neither true nor false")
    return typed.lower() == "true"
