"""Classes whose names differ in spelling alone: capitals, blanks, hyphens, how a number is written."""

from __future__ import annotations

import re
from collections.abc import Iterable

from vitcli.names import natural_order

BETWEEN = re.compile(r"[\s_-]+")


def spelled_alike(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Groups of names that may mean one class, in natural order.

    Single letters are left alone: a set of handwritten letters has ``a`` and ``A``.

    Args:
        names: Of classes.
    """
    groups: dict[str, list[str]] = {}
    for name in sorted(names, key=natural_order):
        groups.setdefault(_plainest(name), []).append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _plainest(name: str) -> str:
    try:
        return repr(float(name))
    except ValueError:
        return name if len(name) == 1 else BETWEEN.sub("", name.casefold()) or name
