"""Images of a run that goes on or is scored: whether those that are there now are the ones it was begun with."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from vitcli.data.batches.position import names_and_labels
from vitcli.data.layouts.labelled import LabelledFiles
from vitcli.errors import DataError

if TYPE_CHECKING:
    from vitcli.cli.trainer.cli import Cli

SPLIT = {"fit": "val", "validate": "val", "test": "test"}
MISSING = re.compile(r"(data\.root .+): no such (?:file|folder)")


def check_images(cli: Cli) -> list[str]:
    """What to tell of images that a checkpoint may have been trained on.

    Args:
        cli: The verb, whose images have been looked at.

    Raises:
        DataError: None of the run's images is where its config has them, and nobody has named others.
    """
    if cli.continued is not None and cli.datamodule.are_others and not _names_root(cli):
        raise DataError(
            f"data.root {cli.config.data.init_args.root}: holds none of the images of {cli.continued.folder}, whose "
            "config names it; say where they are with --data.root, which also takes others"
        )
    return [] if cli.continued is not None or cli.checkpoint is None else _told_lone(cli)


def moved(cli: Cli, told: str) -> str:
    """What to tell of a root that the run's config names and that is not there; empty for any other error.

    Args:
        cli: The verb.
        told: The message of the error.
    """
    missing = MISSING.match(told)
    if cli.continued is None or _names_root(cli) or missing is None:
        return ""
    config = cli.continued.config("fit")
    return f"{missing[1]}: is not there, where {config} has the images; say where they are now with --data.root"


def _names_root(cli: Cli) -> bool:
    return any(key == "data.root" for key, _ in cli.arguments.said)


def _told_lone(cli: Cli) -> list[str]:
    """Of a checkpoint without its run: nobody knows what it was trained on, unless the images are divided as then."""
    split, data = SPLIT.get(cli.verb), cli.datamodule
    # whoever keeps a folder for val or test knows what is in it
    if split is None or not isinstance(data, LabelledFiles) or split in data.pools:
        return []
    counted = cli.saved.get(type(data).__qualname__)
    # there may be no image left to train on
    with suppress(DataError):
        if isinstance(counted, dict) and counted.get("files") == names_and_labels(data.listing("train")):
            return []
    return [
        f"{cli.checkpoint}: lies in no run's folder, whose splits.csv would say which images it was trained on; some "
        f"may be in {split} now, whose scores are too good then"
    ]
