"""Scores: what making an ONNX file lighter has cost and gained: accuracy with intervals, size, speed side by side."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import final

import numpy as np

from vitcli.evaluate.evaluation import Estimate
from vitcli.evaluate.intervals import proportion
from vitcli.export.check import Floats, Runner, labels_of
from vitcli.export.pictures import Pictures

# pictures that are timed at once; turns of each file, and calls in a turn, of which the first does not count
TIMED = 8
TURNS = 5
CALLS = 4


@final
@dataclass(frozen=True)
class Score:
    """A file beside another one of the same net.

    Args:
        name: How its numbers are stored.
        accuracy: On the pictures with a label; None where none has one.
        bytes: Its size.
        speed: Pictures a second, by onnxruntime on the CPU.
    """

    name: str
    accuracy: Estimate | None
    bytes: int
    speed: float


def accuracy_of(probabilities: Floats, pictures: Pictures, threshold: float | None) -> Estimate | None:
    """The share of right labels with its interval; None where no label is known.

    Args:
        probabilities: Of the pictures.
        pictures: With their labels.
        threshold: Of two classes, from which probability on the second is predicted.
    """
    known = pictures.labels >= 0
    if not known.any():
        return None
    right = labels_of(probabilities, threshold)[known] == pictures.labels[known]
    return proportion(int(right.sum()), int(known.sum()))


def speeds_of(runners: Sequence[Runner], pictures: Pictures, batch: int | None) -> list[float]:
    """Pictures a second of several files, timed in turns, so that what else the machine does slows all alike.

    The first call of a turn is not counted: it makes room, and onnxruntime's threads for the file before it keep the
    cores busy for a while, waiting for more, which no user of one file would meet.

    Args:
        runners: The files.
        pictures: Of which some are used again and again.
        batch: Pictures that the files take at once; None: any number.
    """
    size = batch or TIMED
    pixels = np.resize(pictures.pixels, (size, *pictures.pixels.shape[1:]))
    seconds: list[list[float]] = [[] for _ in runners]
    for _ in range(TURNS):
        for runner, taken in zip(runners, seconds, strict=True):
            runner(pixels)
            for _ in range(CALLS - 1):
                start = time.perf_counter()
                runner(pixels)
                taken.append(time.perf_counter() - start)
    return [size / median(taken) for taken in seconds]


def table_of(scores: Sequence[Score]) -> list[str]:
    """The lines of a table for people; gains are over the first; none where there are no scores."""
    if not scores:
        return []
    first = scores[0]
    lines = [f"{'':<6}  {'accuracy':<22}  {'size':>10}  {'pictures/s':>10}  {'speed':>6}"]
    for each in scores:
        accuracy = "no labels" if each.accuracy is None else str(each.accuracy)
        lines.append(
            f"{each.name:<6}  {accuracy:<22}  {each.bytes / 1e6:>7.1f} MB  {each.speed:>10.1f}  "
            f"{each.speed / first.speed:>5.2f}x"
        )
    return lines
