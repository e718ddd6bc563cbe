"""Splits of tables: which of train, val and test the name of a file or folder means (``train-00000-of-00002``)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

from vitcli.images.division.split_words import split_like

# the number of a part of a table, as hubs and Spark write it, and folders of tables that a hub has cut off
NUMBERS = re.compile(r"[0-9]+|\bof\b|\bpart\b|\bpartial\b|\bshard\b")


@final
@dataclass(frozen=True)
class TableSplits:
    """The split of each table.

    Args:
        splits: Of each name: one of train, val and test, or empty for what has no labels; none if no name says one.
        sets: Folders of which each has such splits of its own; several are several sets of images.
    """

    splits: dict[str, str] = field(default_factory=dict)
    sets: tuple[str, ...] = ()


def table_splits(names: Sequence[str]) -> TableSplits:
    """The split that each table's own name says, or where none does, the folder that it lies in, or the next above.

    Args:
        names: Of all tables below the root, separated by ``/``.
    """
    parts = {name: [*name.split("/")[:-1], name.rpartition("/")[2].rpartition(".")[0]] for name in names}
    for depth in range(max(map(len, parts.values()), default=0)):
        words = {name: _word(held[-1 - depth]) for name, held in parts.items() if depth < len(held)}
        like = split_like(list(dict.fromkeys(filter(None, words.values()))))
        if not any(like.values()):
            continue
        splits = {name: like[word] for name, word in words.items() if word in like}
        above = {"/".join(parts[name][: -1 - depth]) for name in splits}
        return TableSplits(splits, tuple(sorted(above)))
    return TableSplits()


def _word(name: str) -> str:
    return NUMBERS.sub("", name.replace("_", "-")).strip("-. ")
