"""Scored: a prediction table as arrays; what every number of an evaluation is computed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray


@final
@dataclass(frozen=True, slots=True)
class Scored:
    """Images of a table, one entry an image, in the table's order.

    Args:
        paths: As they stand in the table.
        classes: Their names: those of the table's probabilities, in their order; else those that occur, sorted.
        labels: Integers (images,), positions in ``classes``; -1 where the table has no label.
        predicted: Integers (images,), positions in ``classes``; -1 where there is no prediction (status error).
        confidence: Float64 (images,), probability of the predicted class; NaN where there is none.
        probabilities: Float64 (images, classes), NaN rows where there is no prediction; None if the table does not
            have one for every class.
        label_probability: Float64 (images,), probability of the label; NaN where not known; None if nowhere known.
        label_rank: Integers (images,), 1 for a label that is the likeliest class; 0 where not known; None likewise.
        sizes: Integers (images, 2), width and height in pixels; 0 where not known.
        errors: Why there is no prediction; empty where there is one.
    """

    paths: tuple[str, ...]
    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]
    confidence: NDArray[np.float64]
    probabilities: NDArray[np.float64] | None
    label_probability: NDArray[np.float64] | None
    label_rank: NDArray[np.int64] | None
    sizes: NDArray[np.int64]
    errors: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def is_scored(self) -> NDArray[np.bool_]:
        """Whether an image has both a label and a prediction, (images,)."""
        return (self.labels >= 0) & (self.predicted >= 0)
