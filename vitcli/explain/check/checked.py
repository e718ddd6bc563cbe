"""Checked: how true the maps of each method are, with intervals, and which method is the best for this net."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from vitcli.evaluate.evaluation import Estimate
from vitcli.evaluate.intervals import from_resamples
from vitcli.evaluate.resample import resampled_means

SCHEMA_VERSION = 1
RESAMPLES = 2000
RANDOM = "random"
Floats = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True)
class Faithfulness:
    """Areas under the deletion and insertion curves of a method, in [0, 1], as means over the images.

    Args:
        method: Its name; random for maps drawn at random.
        deletion: Low where the patches that matter went first.
        insertion: High where they came first.
        gain: Insertion less deletion: the higher, the truer.
        over_random: The gain less that of random maps of the same images; None for these themselves.
        seconds: That a map takes.
        deletion_curve: Mean probability of the class, from no patch gone to all.
        insertion_curve: Likewise, from no patch there to all.
    """

    method: str
    deletion: Estimate
    insertion: Estimate
    gain: Estimate
    over_random: Estimate | None
    seconds: float
    deletion_curve: tuple[float, ...]
    insertion_curve: tuple[float, ...]


@final
@dataclass(frozen=True, slots=True)
class Located:
    """How well a method finds shapes whose place is known, as means over drawn pictures.

    Args:
        method: Its name; random for what random maps have in the mean.
        hits: Pointing game: how often the patch that matters most is in the shape's box.
        inside: The share of what speaks for the class that is inside the box.
    """

    method: str
    hits: Estimate
    inside: Estimate


@final
@dataclass(frozen=True, slots=True)
class Lead:
    """The method that is ahead, and by how much.

    Args:
        method: The best one.
        over_random: Its score less that of random maps.
        next: The method behind it; empty if there is one method alone.
        over_next: Its score less that of the next; None likewise.
    """

    method: str
    over_random: Estimate
    next: str
    over_next: Estimate | None

    @property
    def is_true(self) -> bool:
        """Whether it beats random maps beyond the interval."""
        return self.over_random.low > 0

    @property
    def is_certain(self) -> bool:
        """Whether it beats the next method beyond the interval."""
        return self.over_next is None or self.over_next.low > 0


@final
@dataclass(frozen=True, slots=True)
class Checked:
    """Whether maps are true, of one net.

    Args:
        images: Of how many images the curves are.
        steps: At how many steps beyond the first.
        seed: Of sample, random maps and resamples.
        faithfulness: Of each method, and of random maps at the end.
        best: By insertion less deletion.
        shapes: Of how many drawn pictures the pointing game is; 0 where the net knows no shapes.
        located: Of each method, and of random maps at the end.
        best_located: By the share of relevance inside the box.
        schema_version: Of this form.
    """

    images: int
    steps: int
    seed: int
    faithfulness: tuple[Faithfulness, ...]
    best: Lead
    shapes: int = 0
    located: tuple[Located, ...] = ()
    best_located: Lead | None = None
    schema_version: int = SCHEMA_VERSION


def means(values: Floats, seed: int) -> list[Estimate]:
    """The mean of each column over the images, with its bootstrap interval (percentile, 95 %).

    Args:
        values: Scores in [-1, 1], (images, columns).
        seed: Of the resamples.
    """
    resampled = resampled_means(values, np.zeros(len(values), dtype=np.int64), RESAMPLES, seed)
    return [
        from_resamples(float(column.mean()), drawn, len(values))
        for column, drawn in zip(values.T, resampled.T, strict=True)
    ]


def lead(scores: Mapping[str, Floats], seed: int) -> Lead:
    """The method with the highest mean score, compared with random maps and with the next one, image by image.

    Args:
        scores: Of each method and of random maps, one an image.
        seed: Of the resamples.
    """
    methods: Sequence[str] = sorted((name for name in scores if name != RANDOM), key=lambda name: -scores[name].mean())
    best, others = methods[0], methods[1:2]
    pairs = [scores[best] - scores[other] for other in (RANDOM, *others)]
    over_random, *over_next = means(np.stack(pairs, axis=1), seed)
    return Lead(best, over_random, others[0] if others else "", over_next[0] if over_next else None)
