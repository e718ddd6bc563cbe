"""Quarantine: a list of images to leave out, written by vitcli check, read by everything that opens images."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from vitcli.errors import DataError
from vitcli.machine.atomic import replacing

HEADING = "# images that vitcli leaves out: a path below the root on each line, and why behind a tab"


# what would end a path or its line, or begin a comment; such a path is written as a string of JSON
SPECIAL = re.compile(r'^[#"]|[\t\n\r]')


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
    return frozenset(_from_word(line.partition("\t")[0]) for line in lines if line and not line.startswith("#"))


def is_quarantine(file: Path) -> bool:
    """Whether a file is such a list, by its first line, or is empty."""
    try:
        with file.open("rb") as opened:
            return opened.readline(len(HEADING) + 1) in (f"{HEADING}\n".encode(), b"")
    except OSError:
        return False


def write_quarantine(file: str, reasons: Mapping[str, str]) -> None:
    """Write a list, in place of an earlier one.

    Args:
        file: Where it goes.
        reasons: Path and reason of each image.
    """
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [HEADING, *(f"{_to_word(name)}\t{' '.join(reason.split())}" for name, reason in reasons.items())]
    with replacing(path) as part:
        part.write_bytes(b"".join(os.fsencode(line) + b"\n" for line in lines))


def _to_word(path: str) -> str:
    return json.dumps(path) if SPECIAL.search(path) else path


def _from_word(word: str) -> str:
    if word.startswith('"'):
        with suppress(ValueError):
            return str(json.loads(word))
    return word
