"""Labels of shards (``.cls``, ``.json``, ``.txt``, or the folder of a key): which of these holds, once for all."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, final, get_args

import numpy as np
from numpy.typing import NDArray

from vitcli.errors import ConfigError, DataError
from vitcli.images.source.numbered import NAMES_FILES, WHOLE, numbered_names
from vitcli.images.source.shards.shards import Shards
from vitcli.images.source.shards.table import KINDS, NONE
from vitcli.names import counted, printable

Where = Literal["auto", "cls", "json", "txt", "folder"]


@final
@dataclass
class Labels:
    """The label of each picture.

    Args:
        codes: int32 (pictures,), the place of each one's label among the words, NONE where it has none.
        words: Labels.
        told: What the user should know of how they were found.
    """

    codes: NDArray[np.int32]
    words: list[str]
    told: str = ""


def standing(source: Shards, said: Where) -> str:
    """Where labels stand: as said, or in the first of KINDS that any picture has; folder where none has any.

    Raises:
        ConfigError: There is no such place.
        DataError: Some stand here and others there.
    """
    if said not in get_args(Where):
        raise ConfigError(f"data.labels {said}: is none of {', '.join(get_args(Where))}; name one of them")
    if said != "auto":
        return said
    has = source.table.codes != NONE
    first = next((place for place in range(len(KINDS)) if has[place].any()), None)
    if first is None:
        return "folder"
    for other in range(first + 1, len(KINDS)):
        alone = np.flatnonzero(has[other] & ~has[first])
        if len(alone):
            raise DataError(
                f"data.root {source.root}: labels of two kinds: {counted(int(has[first].sum()), 'picture')} with a "
                f".{KINDS[first]}, and {len(alone):,} with a .{KINDS[other]} alone, such as "
                f"{printable(source.paths[int(alone[0])])}; say which holds, data.labels {KINDS[first]}"
            )
    return KINDS[first]


def labels_of(source: Shards, where: str, without: Collection[str] = ()) -> Labels:
    """The labels of all pictures.

    Args:
        source: The shards.
        where: Where they stand: one of KINDS, or folder.
        without: First folders of keys that are no class: those of splits.

    Raises:
        DataError: Some are numbers and others names, or a number has no name.
    """
    if where == "folder":
        return _of_folders(source, without)
    codes = source.table.codes[KINDS.index(where)]
    words = source.table.words
    return _named(source, where, codes, [words[code] for code in np.unique(codes).tolist() if code != NONE])


def _of_folders(source: Shards, without: Collection[str]) -> Labels:
    places: dict[str, int] = {}
    codes = np.full(len(source.paths), NONE, dtype=np.int32)
    for row, path in enumerate(source.paths):
        above = path.split("/")[:-1]
        if above and above[0] in without:
            above = above[1:]
        if above:
            codes[row] = places.setdefault(above[0], len(places))
    return Labels(codes, list(places), "labels: the first folder of each key" if places else "")


def _named(source: Shards, where: str, codes: NDArray[np.int32], used: Sequence[str]) -> Labels:
    """Labels under the names of their classes, where they are numbers and a file names those."""
    numbers = [word for word in used if WHOLE.fullmatch(word)]
    told = f"labels: .{where} beside each picture"
    if not numbers:
        return Labels(codes, source.table.words, told)
    if len(numbers) < len(used):
        name = next(word for word in used if not WHOLE.fullmatch(word))
        raise DataError(
            f"data.root {source.root}: labels of two kinds: the number {numbers[0]} "
            f"({_one(source, codes, numbers[0])}) and the name {name!r} ({_one(source, codes, name)}); make all of "
            "them one or the other"
        )
    file, names = numbered_names(source.ranges)
    if not file:
        return Labels(codes, source.table.words, f"{told}: numbers, which no {' or '.join(NAMES_FILES)} names")
    words = list(source.table.words)
    for number in numbers:
        if int(number) not in names:
            raise DataError(
                f"data.root {source.root}: label {number} of {_one(source, codes, number)} is out of {file}, which "
                f"names {len(names)} classes; add its name, or correct the label"
            )
        words[source.table.words.index(number)] = names[int(number)]
    return Labels(codes, words, f"{told}, named by {file}")


def _one(source: Shards, codes: NDArray[np.int32], word: str) -> str:
    """A picture of a label."""
    rows = np.flatnonzero(codes == source.table.words.index(word))
    return printable(source.paths[int(rows[0])])
