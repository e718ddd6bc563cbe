"""Gallery: which images of a table a page shows, each with its label, prediction and confidence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from vitcli.evaluate.evaluation import Evaluation
from vitcli.evaluate.scored import Scored
from vitcli.names import printable
from vitcli.report.overlays import Overlays
from vitcli.report.pictures import Thumbnails

MISTAKES = 24
SUCCESSES = 12
DOUBTFUL = 12
# without labels: classes shown, and images of each
PREDICTED_CLASSES = 20
OF_A_CLASS = 6


@final
@dataclass(frozen=True, slots=True)
class Shot:
    """An image as a page shows it.

    Args:
        path: As the table has it, in one line.
        label: Name of its class; empty when unknown.
        predicted: Name of the predicted class.
        confidence: Probability of it; None when unknown.
        is_right: Whether it is the label; None when unknown.
        thumbnail: A ``data:`` address; None where the picture is gone, or there are too many.
        overlay: Likewise, of what in the picture speaks for the predicted class; None unless it was asked for.
    """

    path: str
    label: str
    predicted: str
    confidence: float | None
    is_right: bool | None
    thumbnail: str | None
    overlay: str | None = None

    @property
    def told(self) -> str:
        """What a screen reader says in place of the picture."""
        sure = f" with confidence {self.confidence:.3f}" if self.confidence is not None else ""
        label = f", labelled {self.label}" if self.label else ""
        return f"{self.path}: predicted {self.predicted}{sure}{label}"


@final
@dataclass(frozen=True, slots=True)
class Gallery:
    """Images under a heading.

    Args:
        name: Of its anchor.
        title: In a few words.
        told: Which ones these are, and how many there are of them.
        shots: In their order.
    """

    name: str
    title: str
    told: str
    shots: tuple[Shot, ...]


@final
class Shots:
    """Makes shots of a table's images.

    Args:
        scored: The table.
        thumbnails: Of its pictures.
        overlays: Of some of them; None: there are none.
    """

    def __init__(self, scored: Scored, thumbnails: Thumbnails, overlays: Overlays | None = None) -> None:
        self.scored = scored
        self.thumbnails = thumbnails
        self.overlays = overlays or Overlays(None, None)

    def make(self, rows: Iterable[int], pictured: int | None = None, *, explained: bool = False) -> tuple[Shot, ...]:
        """The shots of some rows.

        Args:
            rows: Their positions in the table.
            pictured: How many of them have a picture; by default all, as far as thumbnails go.
            explained: Whether they have an overlay too, where overlays are wanted.
        """
        rows = list(rows)
        if explained:
            names = [self.scored.classes[int(self.scored.predicted[row])] for row in rows]
            self.overlays.make([(self.scored.paths[row], name) for row, name in zip(rows, names, strict=True)])
        self.thumbnails.make([self.scored.paths[row] for row in rows[:pictured]])
        return tuple(self._one(row, explained=explained) for row in rows)

    def _one(self, row: int, *, explained: bool) -> Shot:
        scored = self.scored
        label, predicted = int(scored.labels[row]), int(scored.predicted[row])
        confidence = float(scored.confidence[row])
        return Shot(
            path=printable(scored.paths[row]),
            label=printable(scored.classes[label]) if label >= 0 else "",
            predicted=printable(scored.classes[predicted]) if predicted >= 0 else "",
            confidence=confidence if np.isfinite(confidence) else None,
            is_right=label == predicted if label >= 0 and predicted >= 0 else None,
            thumbnail=self.thumbnails[scored.paths[row]],
            overlay=self.overlays[scored.paths[row]] if explained else None,
        )


def mistakes(shots: Shots) -> Gallery:
    """The most confident mistakes."""
    rows = surest_mistakes(shots.scored)
    told = _told(len(rows), MISTAKES, "mistake", "the most confident first")
    return Gallery("mistakes", "Most confident mistakes", told, shots.make(rows[:MISTAKES].tolist(), explained=True))


def successes(shots: Shots) -> Gallery:
    """The least confident successes."""
    scored = shots.scored
    rows = surest_first(scored, np.flatnonzero(scored.is_scored & (scored.labels == scored.predicted)))[::-1]
    told = _told(len(rows), SUCCESSES, "success", "the least confident first")
    shown = shots.make(rows[:SUCCESSES].tolist(), explained=True)
    return Gallery("successes", "Least confident successes", told, shown)


def doubtful(shots: Shots, evaluation: Evaluation) -> Gallery:
    """The images whose label looks wrong, by the evaluation's list."""
    rows = {path: row for row, path in enumerate(shots.scored.paths)}
    listed = [rows[one.path] for one in evaluation.doubtful if one.path in rows and one.is_wrong]
    told = _told(len(listed), DOUBTFUL, "such label", "the doubtfullest first")
    note = f"The net finds another class likelier, by the class's own measure; it may be the net that errs. {told}"
    return Gallery("doubtful", "Labels that look wrong", note, shots.make(listed[:DOUBTFUL]))


def unsure(shots: Shots) -> Gallery:
    """The least confident predictions, where there are no labels."""
    scored = shots.scored
    rows = surest_first(scored, np.flatnonzero(scored.predicted >= 0))[::-1]
    told = _told(len(rows), SUCCESSES, "image", "the least confident first")
    return Gallery("unsure", "Least confident", told, shots.make(rows[:SUCCESSES].tolist(), explained=True))


def by_class(shots: Shots) -> list[Gallery]:
    """The most confident predictions of each class; of many classes, of those that are predicted most."""
    scored = shots.scored
    counts = np.bincount(scored.predicted[scored.predicted >= 0], minlength=len(scored.classes))
    often = np.argsort(-counts, kind="stable")[:PREDICTED_CLASSES]
    found = []
    for place in sorted(often.tolist()):
        if counts[place]:
            rows = surest_first(scored, np.flatnonzero(scored.predicted == place))
            told = _told(len(rows), OF_A_CLASS, "image", "the most confident first")
            name = printable(scored.classes[place])
            found.append(Gallery(f"class-{place}", name, told, shots.make(rows[:OF_A_CLASS].tolist())))
    return found


def surest_mistakes(scored: Scored) -> NDArray[np.int64]:
    """Rows whose prediction is not the label, by falling confidence."""
    return surest_first(scored, np.flatnonzero(scored.is_scored & (scored.labels != scored.predicted)))


def surest_first(scored: Scored, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows by falling confidence, those of unknown confidence last, and then as in the table."""
    return rows[np.argsort(-np.nan_to_num(scored.confidence[rows], nan=-1.0), kind="stable")]


def _told(count: int, most: int, noun: str, order: str) -> str:
    if count == 0:
        return f"No {noun}."
    if count == 1:
        return f"The only {noun}."
    nouns = f"{count:,} {noun}{'es' if noun.endswith('s') else 's'}"
    return f"All {nouns}, {order}." if count <= most else f"{most} of {nouns}, {order}."
