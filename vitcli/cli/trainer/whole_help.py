"""``--help-all``: every option of a verb, with those of the image data and of the backends, which are chosen later."""

from __future__ import annotations

import argparse
from typing import Any, final

from jsonargparse import ArgumentParser

from vitcli.cli.trainer.arguments import LINKED
from vitcli.data import FolderData, UnlabelledData
from vitcli.net import Linformer

# what the net tells its backend
LATE = {"tokens", "dim"}


@final
class HelpAll(argparse.Action):
    """Prints the whole help and exits."""

    def __init__(self, option_strings: Any, dest: str, **options: Any) -> None:
        super().__init__(option_strings, dest=argparse.SUPPRESS, default=argparse.SUPPRESS, nargs=0, **options)

    def __call__(self, parser: Any, *_: Any, **__: Any) -> None:
        """Print and exit."""
        print(parser.format_help())
        predicts = parser.prog.endswith(" predict")
        data = UnlabelledData if predicts else FolderData
        # a link's target is set by its source alone
        print(_of_class(data, "data", f"--data {data.__name__}; of another class: --data.help CLASS", set(LINKED)))
        backend = "--model.net.backend Linformer (k and what follows it are its own, the others every backend's)"
        print(_of_class(Linformer, "model.net.backend", backend, LATE))
        parser.exit()


def _of_class(kind: type, key: str, title: str, skip: set[str]) -> str:
    parser = ArgumentParser(exit_on_error=False, add_help=False)
    parser.add_class_arguments(kind, key, skip=skip)
    options = parser.format_help().partition("\n\n")[2]
    return f"options of {title}:\n\n{options}"
