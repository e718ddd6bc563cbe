"""Columns of a prediction table: which there are, a row as their values, and values as a row again."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, final

from vitcli.table.row import Row

Value = str | float | int | None
Kind = Literal["text", "share", "count"]

# with more classes than these, a table has the best of them only, unless all are asked for
NARROW = 100
BEST = 5
PROBABILITY = "prob_"
FEATURES = "features"
BEFORE = ("path", "label", "predicted", "confidence")
LABEL = ("label_probability", "label_rank")
AFTER = ("width", "height", "status", "error")
COUNTS = ("width", "height", "label_rank")
TOP = re.compile("top[1-9][0-9]*")


@final
@dataclass(frozen=True)
class Columns:
    """The columns of a table of some classes, and the values of a row under them.

    Args:
        classes: Their names, in the model's order.
        top: How many of the best classes a row names; 0: it has a probability for each class instead.
    """

    classes: tuple[str, ...]
    top: int = 0

    @property
    def names(self) -> list[str]:
        """The header."""
        if not self.top:
            return [*BEFORE, *(f"{PROBABILITY}{writable(name)}" for name in self.classes), *AFTER]
        places = range(1, self.top + 1)
        best = [name for place in places for name in (f"top{place}", f"top{place}_probability")]
        return [*BEFORE, *best, *LABEL, *AFTER]

    def values(self, row: Row) -> list[Value]:
        """A row as a value for each column: texts in UTF-8, shares with seven digits, None where nothing is known."""
        middle: list[Value]
        if self.top:
            middle = [value for name, share in row.top for value in (writable(name), seven(share))]
            middle += ["", None] * (self.top - len(row.top))
            middle += [seven(row.label_probability), row.label_rank]
        else:
            middle = [seven(share) for share in row.probabilities] or [None] * len(self.classes)
        return [
            *(writable(row.path), writable(row.label), writable(row.predicted), seven(row.confidence)),
            *middle,
            *(row.width, row.height, row.status, writable(row.error)),
        ]


def kind(name: str) -> Kind:
    """What a column holds: text, a share as a floating-point number, or a whole number."""
    if name in COUNTS:
        return "count"
    is_share = name == "confidence" or name.startswith(PROBABILITY) or name == LABEL[0]
    return "share" if is_share or (TOP.fullmatch(name.removesuffix("_probability")) and name[-1] == "y") else "text"


def reader(names: Sequence[str]) -> Callable[[Sequence[Any]], Row]:
    """A function that makes a row of the values under these columns.

    A column that an older table lacks keeps Row's default, and a column that Row does not know is passed over.

    Args:
        names: The header.
    """
    plain = [(name, place) for place, name in enumerate(names) if name in (*BEFORE, *LABEL, *AFTER)]
    shares = [place for place, name in enumerate(names) if name.startswith(PROBABILITY)]
    places = {name: place for place, name in enumerate(names)}
    best = [(places[name], places[f"{name}_probability"]) for name in names if TOP.fullmatch(name)]

    def read(values: Sequence[Any]) -> Row:
        told = {name: values[place] for name, place in plain}
        probabilities = tuple(values[place] for place in shares if values[place] is not None)
        top = tuple((values[name], values[share]) for name, share in best if values[share] is not None)
        return Row(**told, probabilities=probabilities, top=top)

    return read


def writable(text: str) -> str:
    """A text that every format can hold: what is not UTF-8 in the name of a file is written with backslashes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def seven(number: float | None) -> float | None:
    """A number with seven digits, as many as float32 has, so that all formats hold the same one."""
    return None if number is None else float(f"{number:.7g}")


def rounded(row: Row) -> Row:
    """A row with the digits that a table has."""
    return replace(
        row,
        confidence=seven(row.confidence),
        probabilities=tuple(share for each in row.probabilities if (share := seven(each)) is not None),
        top=tuple((name, share) for name, each in row.top if (share := seven(each)) is not None),
    )
