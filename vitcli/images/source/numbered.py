"""Names of numbered classes: ``classes.txt``, a name a line, or ``classes.json``, beside the files."""

from __future__ import annotations

import re
from typing import Any

from vitcli.errors import DataError
from vitcli.images.source.ranges import Ranges
from vitcli.machine.bounded_json import from_json
from vitcli.machine.short_lines import lines_of

WHOLE = re.compile(r"-?[0-9]+")
NAMES_FILES = ("classes.txt", "classes.json")


def numbered_names(ranges: Ranges) -> tuple[str, dict[int, str]]:
    """The file that names the numbers, and the name of each; empty where there is none.

    Args:
        ranges: The files beside which it lies.

    Raises:
        DataError: It does not name classes.
    """
    for file in NAMES_FILES:
        content = ranges.beside(file)
        if content is None:
            continue
        try:
            names = _listed(content) if file.endswith(".txt") else _of_json(from_json(content))
        except (ValueError, TypeError, UnicodeDecodeError) as error:
            raise DataError(
                f"data.root {ranges.root}: {ranges.where(file)} does not name classes "
                f"({' '.join(str(error).split())[:80]}); give a name for each number"
            ) from error
        if len(set(names.values())) < len(names):
            name = next(name for name in names.values() if list(names.values()).count(name) > 1)
            raise DataError(
                f"data.root {ranges.root}: {ranges.where(file)} gives {name!r} to two numbers; give each its own"
            )
        return file, names
    return "", {}


def _listed(content: bytes) -> dict[int, str]:
    lines = lines_of(content)
    while lines and not lines[-1]:
        lines.pop()
    return {number: _name(line) for number, line in enumerate(lines)}


def _of_json(held: Any) -> dict[int, str]:
    """A list of names, an object of numbers and names, or one of names and numbers."""
    if isinstance(held, list):
        return {number: _name(name) for number, name in enumerate(held)}
    if not isinstance(held, dict) or not held:
        raise ValueError("neither a list nor an object")
    numbers_first = all(WHOLE.fullmatch(key) for key in held)
    pairs = held.items() if numbers_first else [(number, name) for name, number in held.items()]
    names: dict[int, str] = {}
    for told, name in pairs:
        if type(told) is not int and not (isinstance(told, str) and WHOLE.fullmatch(told)):
            raise ValueError(f"{told!r} is no whole number")
        number = int(told)
        if number in names:
            raise ValueError(f"number {number} stands there twice")
        names[number] = _name(name)
    return names


def _name(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise ValueError(f"{name!r} is no name")
    return name
