"""Quarantine: a list of images to leave out, written by vitcli check, read by everything that opens images."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from vitcli.errors import DataError
from vitcli.machine.atomic import replacing

HEADING = "# images that vitcli leaves out: a path below the root on each line, and why behind a tab"


def read_quarantine(file: str) -> frozenset[str]:
    """The paths of a list.

    Raises:
        DataError: It cannot be read.
    """
    try:
        content = Path(file).read_bytes()
    except OSError as error:
        raise DataError(
            f"data.quarantine {file}: cannot be read ({error.strerror}); name a list of vitcli check --quarantine"
        ) from error
    lines = (os.fsdecode(line).rstrip("\r") for line in content.split(b"\n"))
    return frozenset(line.partition("\t")[0] for line in lines if line and not line.startswith("#"))


def write_quarantine(file: str, reasons: Mapping[str, str]) -> None:
    """Write a list, in place of an earlier one.

    Args:
        file: Where it goes.
        reasons: Path and reason of each image.
    """
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [HEADING, *(f"{name}\t{reason}" for name, reason in reasons.items())]
    with replacing(path) as part:
        part.write_bytes(b"".join(os.fsencode(line) + b"\n" for line in lines))
