"""Check: an exported file run on pictures and compared with the net: largest probability difference, changed labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from vitcli.answers.answer import answer
from vitcli.errors import ExportError
from vitcli.export.subject import Quantize, Subject
from vitcli.names import counted

Floats = NDArray[np.float32]
# uint8 (batch, height, width, 3) -> float32 (batch, classes)
Runner = Callable[[NDArray[np.uint8]], Floats]
BATCH = 32


@final
@dataclass(frozen=True)
class Limits:
    """How far an exported file may be from the net.

    Args:
        difference: Largest difference of a probability.
        mean: Mean over the pictures of the largest difference in each.
        changed: Largest share of pictures with another label.
    """

    difference: float
    mean: float
    changed: float


# of int8, single pictures are always further off than 1e-2, those between two classes (docs/lab/2026-11-29.md)
LIMITS: dict[Quantize, Limits] = {
    "none": Limits(1e-4, 1e-4, 0.0),
    "fp16": Limits(1e-2, 1e-2, 0.01),
    "int8": Limits(1.0, 1e-2, 0.02),
}


@final
@dataclass(frozen=True)
class Agreement:
    """How far an exported file is from the net on some pictures.

    Args:
        pictures: How many they are.
        difference: Largest difference of a probability.
        mean: Mean over the pictures of the largest difference in each.
        changed: Pictures with another label.
    """

    pictures: int
    difference: float
    mean: float
    changed: int

    def expect(self, limits: Limits) -> None:
        """Check that the file agrees with the net.

        Args:
            limits: How far it may be.

        Raises:
            ExportError: It is further.
        """
        on = f"on {counted(self.pictures, 'picture')}"
        for kind, found, limit in (
            ("largest", self.difference, limits.difference),
            ("mean of the largest", self.mean, limits.mean),
        ):
            # a number that is none is no agreement
            if not found <= limit:
                raise ExportError(
                    f"the exported file disagrees with the net: {kind} probability difference {found:.1e} {on}, more "
                    f"than {limit:g}; nothing was written"
                )
        if self.changed > limits.changed * self.pictures:
            raise ExportError(
                f"the exported file disagrees with the net: {counted(self.changed, 'label')} changed {on}, more than a "
                f"share of {limits.changed:g} (--max_changed); nothing was written"
            )

    def __str__(self) -> str:
        return (
            f"largest probability difference {self.difference:.1e} (mean {self.mean:.1e}), "
            f"{counted(self.changed, 'label')} changed"
        )


def answers_of(subject: Subject, pixels: NDArray[np.uint8]) -> Floats:
    """What the net itself answers: probabilities, float32 (pictures, classes)."""
    with torch.inference_mode():
        parts = [
            answer(subject.net, subject.preprocess, torch.from_numpy(part).permute(0, 3, 1, 2), subject.asked)
            for part in _batches(pixels, BATCH)
        ]
    return np.concatenate([part["probabilities"].numpy() for part in parts])


def run_on(runner: Runner, pixels: NDArray[np.uint8], batch: int | None = None) -> Floats:
    """What a file answers: probabilities, float32 (pictures, classes).

    Args:
        runner: The file.
        pixels: uint8 (pictures, height, width, 3).
        batch: Pictures that it takes at once; None: any number, which is tried with several and with one.
    """
    if batch is None:
        return np.concatenate([runner(part) for part in (pixels[:1], *_batches(pixels[1:], BATCH))])
    lacking = -len(pixels) % batch
    filled = np.concatenate([pixels, np.repeat(pixels[-1:], lacking, axis=0)])
    return np.concatenate([runner(part) for part in _batches(filled, batch)])[: len(pixels)]


def agreement(ours: Floats, theirs: Floats, threshold: float | None) -> Agreement:
    """How far a file's probabilities are from the net's.

    Args:
        ours: Of the net, (pictures, classes).
        theirs: Of the file.
        threshold: Of two classes, from which probability on the second is predicted.
    """
    if theirs.shape != ours.shape:
        raise ExportError(f"the file answers with the shape {theirs.shape}, and the net with {ours.shape}")
    apart = np.abs(theirs.astype(np.float64) - ours).max(axis=1)
    changed = int((labels_of(ours, threshold) != labels_of(theirs, threshold)).sum())
    return Agreement(len(ours), float(apart.max()), float(apart.mean()), changed)


def labels_of(probabilities: Floats, threshold: float | None) -> NDArray[np.int64]:
    """The predicted classes, (pictures,)."""
    places = probabilities.argmax(axis=1) if threshold is None else probabilities[:, 1] >= threshold
    return places.astype(np.int64)


def _batches(pixels: NDArray[np.uint8], size: int) -> list[NDArray[np.uint8]]:
    return [pixels[start : start + size] for start in range(0, len(pixels), size)]
