"""Confusion matrix of a page: a heat map whose cells open their images; of many classes, the most confused ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from vitcli.evaluate.confusion import confusion_matrix
from vitcli.names import counted, printable
from vitcli.report.gallery import Shot, Shots, surest_first

# classes of which a page shows every cell; of more, a block of the most confused ones
MOST = 24
BLOCK = 16
PAIRS, FEW_PAIRS = 30, 12
# images listed in a cell and in all of them, and pictures in a cell
LISTED = 20
LISTED_IN_ALL = 1500
PICTURED = 6
LEVELS = 8


@final
@dataclass(frozen=True, slots=True)
class Cell:
    """A cell.

    Args:
        images: With this label and this prediction.
        level: Of its colour, 0 (none) to 8 (all images of the label).
        group: Name of the anchor of its images; empty if it has none.
        told: What a screen reader says.
    """

    images: int
    level: int
    group: str
    told: str


@final
@dataclass(frozen=True, slots=True)
class Group:
    """The images of a cell.

    Args:
        name: Of its anchor.
        label: Name of the class.
        predicted: Name of the class.
        told: How many there are, and how many of them are listed.
        shots: In their order.
    """

    name: str
    label: str
    predicted: str
    told: str
    shots: tuple[Shot, ...]


@final
@dataclass(frozen=True, slots=True)
class Pair:
    """Two classes that are confused.

    Args:
        label: What it is.
        predicted: What it is taken for.
        images: How many.
        share: Of the images with that label.
        group: Name of the anchor of its images; empty if it has none.
    """

    label: str
    predicted: str
    images: int
    share: float
    group: str


@final
@dataclass(frozen=True, slots=True)
class Heat:
    """The matrix of a page.

    Args:
        names: Of the classes shown.
        rows: A row for each label shown, a cell for each prediction shown.
        elsewhere: Images of each label that are predicted to be of a class not shown; empty if all are shown.
        told: What is shown, and what is not.
        pairs: The worst confusions.
        groups: The images of the cells.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    elsewhere: tuple[int, ...]
    told: str
    pairs: tuple[Pair, ...]
    groups: tuple[Group, ...]


def heat(shots: Shots) -> Heat:
    """The confusion matrix, its worst pairs and the images of its cells.

    Args:
        shots: Of the table.
    """
    scored = shots.scored
    known = scored.is_scored
    matrix = confusion_matrix(scored.labels[known], scored.predicted[known], len(scored.classes))
    names = [printable(name) for name in scored.classes]
    worst = _worst(matrix, FEW_PAIRS if len(names) <= MOST else PAIRS)
    shown = list(range(len(names))) if len(names) <= MOST else _most_confused(matrix, worst)
    cells = [(row, column) for row in shown for column in shown if matrix[row, column]]
    groups = _groups(shots, matrix, names, sorted({*worst, *cells}, key=lambda cell: _urgency(matrix, cell)))
    totals = matrix.sum(axis=1)

    def cell(row: int, column: int) -> Cell:
        images = int(matrix[row, column])
        level = int(np.ceil(np.sqrt(images / totals[row]) * LEVELS)) if images else 0
        told = f"{counted(images, 'image')} of {names[row]} predicted {names[column]}"
        return Cell(images, level, _anchor(row, column) if (row, column) in groups else "", told)

    pairs = [
        Pair(
            names[row], names[column], int(matrix[row, column]), float(matrix[row, column] / totals[row]),
            _anchor(row, column) if (row, column) in groups else "",
        )
        for row, column in worst
    ]  # fmt: skip
    whole = len(shown) == len(names)
    return Heat(
        names=tuple(names[place] for place in shown),
        rows=tuple(tuple(cell(row, column) for column in shown) for row in shown),
        elsewhere=() if whole else tuple(int(totals[row] - matrix[row, shown].sum()) for row in shown),
        told=_what_is_shown(len(names), len(shown)),
        pairs=tuple(pairs),
        groups=tuple(groups.values()),
    )


def _what_is_shown(classes: int, shown: int) -> str:
    if shown == classes:
        return "Rows are labels, columns predictions. A number opens its images."
    return (
        f"Rows are labels, columns predictions: the {shown} of {classes:,} classes that are confused most. "
        "A number opens its images; confusion.png beside this page has all classes."
    )


def _worst(matrix: NDArray[np.int64], most: int) -> list[tuple[int, int]]:
    """The pairs with most mistakes, by falling number."""
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    rows, columns = np.nonzero(wrong)
    order = np.argsort(-wrong[rows, columns], kind="stable")[:most]
    return list(zip(rows[order].tolist(), columns[order].tolist(), strict=True))


def _most_confused(matrix: NDArray[np.int64], worst: list[tuple[int, int]]) -> list[int]:
    """The classes of the worst pairs, and then those with most mistakes, as many as a block has."""
    mistakes = matrix.sum(axis=0) + matrix.sum(axis=1) - 2 * np.diag(matrix)
    order = dict.fromkeys(
        [*(place for pair in worst for place in pair), *np.argsort(-mistakes, kind="stable").tolist()]
    )
    return sorted(list(order)[:BLOCK])


def _urgency(matrix: NDArray[np.int64], cell: tuple[int, int]) -> tuple[bool, int, tuple[int, int]]:
    """Mistakes before what is right, many before few: thumbnails may not be enough for all."""
    return cell[0] == cell[1], -int(matrix[cell]), cell


def _groups(
    shots: Shots, matrix: NDArray[np.int64], names: list[str], cells: list[tuple[int, int]]
) -> dict[tuple[int, int], Group]:
    scored = shots.scored
    flat = np.where(scored.is_scored, scored.labels * len(names) + scored.predicted, -1)
    order = np.argsort(flat, kind="stable")
    ordered = flat[order]
    found: dict[tuple[int, int], Group] = {}
    left = LISTED_IN_ALL
    for row, column in cells:
        if left <= 0:
            break
        start, end = np.searchsorted(ordered, [row * len(names) + column, row * len(names) + column + 1])
        rows = surest_first(scored, np.sort(order[start:end]))
        # of what is right, the least sure is worth a look
        rows = (rows[::-1] if row == column else rows)[:LISTED]
        left -= len(rows)
        images = int(matrix[row, column])
        which = "least" if row == column else "most"
        told = counted(images, "image") + (f", the {len(rows)} {which} confident" if len(rows) < images else "")
        found[row, column] = Group(
            _anchor(row, column), names[row], names[column], told, shots.make(rows.tolist(), PICTURED)
        )
    return found


def _anchor(row: int, column: int) -> str:
    return f"cell-{row}-{column}"
