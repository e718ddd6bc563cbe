"""Place of a file that a verb writes: looked at before the work, so that no file of the user's is replaced."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from vitcli.errors import ConfigError
from vitcli.machine.bounded_json import read_json
from vitcli.names import at_home, existing_above


def place(option: str, typed: str | None, is_ours: Callable[[Path], bool]) -> Path | None:
    """Where a file goes; None if nothing was typed.

    Args:
        option: Under which it was typed.
        typed: The path.
        is_ours: Whether a file that is there was written by such a command, which may replace it.

    Raises:
        ConfigError: It cannot be written there, or another file is there.
    """
    if not typed:
        return None
    path = Path(at_home(typed))
    parent = existing_above(path)
    if path.is_dir() or not parent.is_dir():
        raise ConfigError(f"{option} {typed}: {path if path.is_dir() else parent} is in the way; name another file")
    if not os.access(parent, os.W_OK):
        raise ConfigError(f"{option} {typed}: no permission to write into {parent}; name another file")
    if path.exists() and not is_ours(path):
        raise ConfigError(f"{option} {typed}: is there, and is none that {option} writes; name another file")
    return path


def place_of_quarantine(typed: str | None) -> Path | None:
    """Where ``--quarantine`` writes its list, perhaps in place of an earlier one.

    Raises:
        ConfigError: As ``place`` raises it.
    """
    if not typed:
        return None
    # a tenth of a second, which only this needs
    from vitcli.images.index.quarantine import is_quarantine

    return place("--quarantine", typed, is_quarantine)


def is_scores(file: Path) -> bool:
    """Whether a file holds the numbers that ``evaluate --out`` writes."""
    try:
        content = read_json(file)
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and "schema_version" in content
