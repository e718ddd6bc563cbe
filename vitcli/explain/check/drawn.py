"""Drawn shapes as a net sees them, each with the box in which its shape is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vitcli.data.layouts.drawing import KINDS
from vitcli.data.layouts.shapes import ShapeOpener
from vitcli.images.decode.pixels import Way
from vitcli.preprocess import Preprocess

# other pictures than those of any split of ShapesData, whose paths begin with train, val or test
FOLDER = "check"


class Shapes(NamedTuple):
    """Drawn pictures.

    Args:
        images: uint8 (batch, 3, height, width), in the size of the net.
        boxes: Left, top, right and bottom edge of each shape, in pixels of these: (batch, 4), float64.
        labels: Place of the kind among the net's classes: (batch,).
    """

    images: Tensor
    boxes: Tensor
    labels: Tensor


def knows_shapes(classes: Sequence[str]) -> bool:
    """Whether a net tells shapes that can be drawn, and nothing else.

    Args:
        classes: Of the net.
    """
    return len(classes) > 1 and all(name in KINDS for name in classes)


def drawn_shapes(preprocess: Preprocess, classes: Sequence[str], count: int, seed: int) -> Shapes:
    """Shapes of all kinds in turn, drawn in the size of the net and preprocessed as files are.

    Args:
        preprocess: Of the net.
        classes: Kinds that can be drawn.
        count: How many pictures.
        seed: Other seeds draw other pictures.
    """
    labels = [number % len(classes) for number in range(count)]
    paths = [f"{FOLDER}/{classes[label]}/{number:04d}.png" for number, label in enumerate(labels)]
    opener = ShapeOpener(paths, preprocess.size, seed)
    region = preprocess.region(*preprocess.size)
    height, width = preprocess.size
    across, down = width / (region.right - region.left), height / (region.bottom - region.top)
    images, boxes = [], []
    for number in range(count):
        picture, (left, top, right, bottom) = opener.placed(number)
        images.append(torch.from_numpy(np.ascontiguousarray(picture.crop(region, Way.of(preprocess)))))
        edges = (
            (left - region.left) * across, (top - region.top) * down,
            (right - region.left) * across, (bottom - region.top) * down,
        )  # fmt: skip
        boxes.append([min(max(edge, 0.0), float(side)) for edge, side in zip(edges, (width, height) * 2, strict=True)])
    return Shapes(torch.stack(images), torch.tensor(boxes, dtype=torch.float64), torch.tensor(labels))
