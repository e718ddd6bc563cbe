"""Several tables as one: folds, whose images differ, or seeds, whose images are the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from vitcli.errors import DataError
from vitcli.evaluate.scored import Scored
from vitcli.names import counted, first_of, natural_order

Kind = Literal["one", "folds", "seeds"]
# fields of Scored with an entry a row
ARRAYS = ("labels", "predicted", "confidence", "probabilities", "label_probability", "label_rank", "sizes")


@final
@dataclass(frozen=True, slots=True)
class Together:
    """Tables one behind another.

    Args:
        scored: All their rows.
        part: Of each row, which table it is of, (rows,).
        kind: ``folds`` if no image is in two of them, ``seeds`` if each image is in all of them.
        tables: How many.
    """

    scored: Scored
    part: NDArray[np.int64]
    kind: Kind
    tables: int = 1

    @property
    def copies(self) -> int:
        """How often each image stands there."""
        return self.tables if self.kind == "seeds" else 1


def together(tables: Sequence[Scored], names: Sequence[str]) -> Together:
    """Several tables as one.

    Args:
        tables: At least one.
        names: Theirs, for messages.

    Raises:
        DataError: Their classes differ, some images are in several of them and some are not, or the same images have
            other labels.
    """
    part = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
    if len(tables) == 1:
        return Together(tables[0], part, "one")
    kind = _kind(tables, names)
    classes = _classes(tables, names)
    same = [with_classes(table, classes) for table in tables]
    if kind == "seeds":
        _check_labels(same, names)
    return Together(_joined(same, classes), part, kind, len(tables))


def rows_of(scored: Scored, rows: NDArray[np.int64]) -> Scored:
    """Some rows of a table, in the order given.

    Args:
        scored: The table.
        rows: Their positions.
    """
    if len(rows) == len(scored) and (rows == np.arange(len(rows))).all():
        return scored
    arrays: dict[str, Any] = {
        name: None if (column := getattr(scored, name)) is None else column[rows] for name in ARRAYS
    }
    words: dict[str, Any] = {name: tuple(getattr(scored, name)[row] for row in rows) for name in ("paths", "errors")}
    return replace(scored, **arrays, **words)


def labelled_apart(first: Scored, second: Scored) -> list[str]:
    """Paths of the images that have one label in a table and another one in the second, which is of the same images.

    Args:
        first: A table.
        second: Another with the same classes, in any order of rows.
    """
    known = dict(zip(second.paths, second.labels.tolist(), strict=True))
    pairs = zip(first.paths, first.labels.tolist(), strict=True)
    return [path for path, label in pairs if label >= 0 <= known[path] and label != known[path]]


def with_classes(scored: Scored, classes: Sequence[str]) -> Scored:
    """The same table with its classes in another order, or among more if it has no probabilities of all."""
    if tuple(classes) == scored.classes:
        return scored
    position = {name: number for number, name in enumerate(classes)}
    moved = np.array([*(position[name] for name in scored.classes), -1], dtype=np.int64)
    matrix = scored.probabilities
    return replace(
        scored,
        classes=tuple(classes),
        labels=moved[scored.labels],
        predicted=moved[scored.predicted],
        probabilities=None if matrix is None else matrix[:, np.argsort(moved[:-1])],
    )


def _kind(tables: Sequence[Scored], names: Sequence[str]) -> Kind:
    sets = [set(table.paths) for table in tables]
    distinct = len(set().union(*sets))
    if distinct == sum(map(len, sets)):
        return "folds"
    if all(paths == sets[0] for paths in sets):
        return "seeds"
    first, second = next(
        (first, second)
        for first in range(len(sets))
        for second in range(first + 1, len(sets))
        if sets[first] & sets[second] and (sets[first] != sets[second] or len(sets) > 2)
    )
    raise DataError(
        f"{names[first]} and {names[second]} share {len(sets[first] & sets[second]):,} of their "
        f"{len(sets[first]):,} and {len(sets[second]):,} images; tables are taken together if they share none (folds) "
        "or all (seeds)"
    )


def _check_labels(tables: Sequence[Scored], names: Sequence[str]) -> None:
    """Nets on the same images are scored by the same labels, or one of the tables is of something else."""
    for table, name in zip(tables[1:], names[1:], strict=True):
        if apart := labelled_apart(tables[0], table):
            raise DataError(
                f"{names[0]} and {name} have other labels for {counted(len(apart), 'image')}, such as {apart[0]}; "
                "take tables together that are of the same images and labels"
            )


def _classes(tables: Sequence[Scored], names: Sequence[str]) -> tuple[str, ...]:
    first = tables[0]
    for table, name in zip(tables[1:], names[1:], strict=True):
        whole = table.probabilities is not None or first.probabilities is not None
        if whole and set(table.classes) != set(first.classes):
            apart = sorted(set(table.classes) ^ set(first.classes), key=natural_order)
            raise DataError(
                f"{names[0]} and {name} are of other classes, such as {first_of(apart, 3)}; take them apart"
            )
    if first.probabilities is not None:
        return first.classes
    return tuple(sorted({name for table in tables for name in table.classes}, key=natural_order))


def _joined(tables: Sequence[Scored], classes: tuple[str, ...]) -> Scored:
    def all_of(name: str) -> NDArray[np.generic] | None:
        columns = [getattr(table, name) for table in tables]
        return None if any(column is None for column in columns) else np.concatenate(columns)

    return Scored(
        paths=tuple(path for table in tables for path in table.paths),
        classes=classes,
        errors=tuple(error for table in tables for error in table.errors),
        **{name: all_of(name) for name in ARRAYS},  # type: ignore[arg-type]
    )
