"""PlainParser: argparse that raises a mistake instead of ending the process, for verbs without a Trainer."""

from __future__ import annotations

import argparse
from typing import NoReturn, final

from vitcli.errors import ConfigError


@final
class PlainParser(argparse.ArgumentParser):
    """argparse exits by itself on an unknown option, whatever it is told."""

    def error(self, message: str) -> NoReturn:
        """Raise it, with where to read on."""
        raise ConfigError(f"{message.removeprefix('argument ')}; see {self.prog} -h")
