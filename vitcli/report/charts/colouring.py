"""Colours of a map over a picture: perceptually even, and where numbers are below zero, two-sided about grey."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, final

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image

# viridis is perceptually even (van der Walt and Smith 2015), coolwarm on both sides of its grey (Moreland 2009); both
# can be read with every common kind of colour blindness
ONE_SIDED: Final = "viridis"
TWO_SIDED: Final = "coolwarm"
# a share of the patches, rounded down, may lie beyond the end of the scale: of some thousands one would hide all others
BEYOND = 0.005
# how much of an overlay is colour; the rest is the picture in grey
COLOUR = 0.6
Map = NDArray[np.float32]


@final
@dataclass(frozen=True, slots=True)
class Scale:
    """From numbers to colours.

    Args:
        low: The number of the first colour: 0, or below zero as far as high is above.
        high: The number of the last colour.
        is_cut: Whether some numbers lie beyond.
    """

    low: float
    high: float
    is_cut: bool

    @classmethod
    def of(cls, found: Map) -> Scale:
        """The scale of a map: from 0 on, or as far below zero as above if anything is below zero.

        Args:
            found: float32 (rows, columns).
        """
        size = np.sort(np.abs(np.nan_to_num(found)).ravel())[::-1]
        high = float(size[math.floor(BEYOND * len(size))]) or float(size[0]) or 1.0
        return cls(-high if float(np.nanmin(found)) < 0 else 0.0, high, float(size[0]) > high)

    @property
    def name(self) -> str:
        """Matplotlib's name of the colours."""
        return TWO_SIDED if self.low < 0 else ONE_SIDED

    def colours(self, found: Map) -> NDArray[np.uint8]:
        """uint8 (rows, columns, 3).

        Args:
            found: float32 (rows, columns).
        """
        shares = (np.nan_to_num(found).astype(np.float64) - self.low) / (self.high - self.low)
        return np.asarray(mpl.colormaps[self.name](np.clip(shares, 0, 1), bytes=True)[..., :3])


def overlay(picture: NDArray[np.uint8], found: Map, scale: Scale) -> NDArray[np.uint8]:
    """A map over its picture: uint8 (height, width, 3). Each patch is one square, for a map knows no more.

    Args:
        picture: uint8 (height, width, 3), what of it enters the net.
        found: float32 (rows, columns).
        scale: Of the map.
    """
    height, width = picture.shape[:2]
    squares = Image.fromarray(scale.colours(found)).resize((width, height), Image.Resampling.NEAREST)
    grey = Image.fromarray(picture).convert("L").convert("RGB")
    return np.asarray(Image.blend(grey, squares, COLOUR))
