"""Picture: an upright RGB image from which regions are cropped; Pixels: one that is decoded already."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import numpy as np

from vitcli.images.decode.pixels import Rgb, Way, resample
from vitcli.preprocess import Region


class UnreadableImage(Exception):  # noqa: N818 - a fact about a file, not a failure of the program
    """A file that is no usable image; the message is a short reason in one line, without the path."""


class Picture(ABC):
    """An upright RGB picture, of which one region is wanted; what is not wanted need not be decoded.

    Args:
        height: Upright, in pixels.
        width: Upright, in pixels.
    """

    def __init__(self, height: int, width: int) -> None:
        self.height = height
        self.width = width

    @abstractmethod
    def crop(self, region: Region, way: Way, *, to_the_end: bool = True) -> Rgb:
        """A region in the size of the net: uint8 (3, height, width).

        Args:
            region: What of the picture is wanted.
            way: How it is resampled.
            to_the_end: Whether the picture is read beyond the region, to see that it is whole.

        Raises:
            UnreadableImage: The pixels are damaged.
        """

    def whole(self, height: int, width: int, white: int | None = None) -> Rgb:
        """All of it in any size: uint8 (height, width, 3).

        Args:
            height: Of the result, in pixels.
            width: Of the result, in pixels.
            white: The value of white in pictures of more than 8 bits; None for what the file says.

        Raises:
            UnreadableImage: The pixels are damaged.
        """
        planes = self.crop(Region(0, 0, self.width, self.height), Way((height, width), "bicubic", white=white))
        return np.ascontiguousarray(planes.transpose(1, 2, 0))


@final
class Pixels(Picture):
    """A picture that is decoded already, perhaps smaller than it was.

    Args:
        pixels: uint8 (height, width, 3).
        size: Height and width before it was shrunk, in which regions are given; by default the pixels' own.
    """

    def __init__(self, pixels: Rgb, size: tuple[int, int] | None = None) -> None:
        super().__init__(*(size or pixels.shape[:2]))
        self.pixels = pixels

    def crop(self, region: Region, way: Way, *, to_the_end: bool = True) -> Rgb:
        """A region in the size of the net: uint8 (3, height, width)."""
        return resample(self.pixels, scaled(region, (self.height, self.width), self.pixels), way)


def scaled(region: Region, size: tuple[int, int], pixels: Rgb) -> Region:
    """A region of a picture of some height and width, in the pixels of a larger or smaller copy."""
    down, across = pixels.shape[0] / size[0], pixels.shape[1] / size[1]
    return Region(region.left * across, region.top * down, region.right * across, region.bottom * down)
