"""Row: one image of a prediction table, as the net has seen it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final


@final
@dataclass(frozen=True, slots=True)
class Row:
    """One image of a prediction table. Which of these are columns, and where, ``Columns`` says.

    Args:
        path: Relative to the root, with ``/``; of several roots, or of a pattern, as they were named.
        label: Name of the true class; empty when unknown.
        predicted: Name of the predicted class; empty when the image could not be read, or the net gave no number.
        confidence: Probability of the predicted class, in [0, 1].
        probabilities: One per class, in the order of the model's classes; none in a table of the best classes only.
        width: Of the upright picture, in pixels.
        height: Of the upright picture, in pixels.
        status: ``ok`` or ``error``.
        error: Why there is no prediction, such as an image that could not be read; empty when there is one.
        top: The best classes with their probabilities, best first, in a table that has these instead of all.
        label_probability: Probability of the label, in such a table.
        label_rank: Rank of the label among all classes, 1 for the best, in such a table.
    """

    path: str
    label: str = ""
    predicted: str = ""
    confidence: float | None = None
    probabilities: tuple[float, ...] = ()
    width: int | None = None
    height: int | None = None
    status: Literal["ok", "error"] = "ok"
    error: str = ""
    top: tuple[tuple[str, float], ...] = ()
    label_probability: float | None = None
    label_rank: int | None = None
