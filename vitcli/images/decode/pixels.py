"""Resampling: a cropped region of a picture in the size of the net, antialiased; torch where the process has it."""

from __future__ import annotations

import sys
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from vitcli.images.decode.antialias import antialiased
from vitcli.preprocess import Interpolation, Preprocess, Region

Rgb = NDArray[np.uint8]


class Way(NamedTuple):
    """How a region is resampled.

    Args:
        size: Height and width of the result in pixels.
        interpolation: bilinear or bicubic.
        fill: Red, green and blue of what lies beyond the picture, 0 to 255.
        white: The value of white in pictures of more than 8 bits; None for what the file says.
    """

    size: tuple[int, int]
    interpolation: Interpolation
    fill: tuple[int, int, int] = (0, 0, 0)
    white: int | None = None

    @classmethod
    def of(cls, preprocess: Preprocess) -> Self:
        """How a preprocessing resamples."""
        return cls(preprocess.size, preprocess.interpolation, preprocess.fill, preprocess.white)


def resample(picture: Rgb, region: Region, way: Way) -> Rgb:
    """A region of a picture in another size: uint8 (height, width, 3) -> (3, height, width).

    Antialiased, with edges on whole pixels; within one grey level of what Pillow makes of the same pixels, or two
    where bicubic enlarges. What of the region lies beyond the picture is filled.

    Args:
        picture: The pixels.
        region: Left, top, right and bottom edge, in pixels of the picture.
        way: How it is resampled.
    """
    rows, columns = sides(picture.shape[0], picture.shape[1], region, way)
    return placed(picture[rows.start : rows.stop, columns.start : columns.stop], rows, columns, way)


def placed(inner: Rgb, rows: Side, columns: Side, way: Way) -> Rgb:
    """What ``resample`` makes of a picture, of which only the pixels that are read are given.

    Args:
        inner: These pixels: uint8 (rows, columns, 3).
        rows: Which they are, and where they go.
        columns: Likewise.
        way: How they are resampled.
    """
    size = (rows.to - rows.at, columns.to - columns.at)
    resampled = resized(inner, size, way.interpolation)
    if size == way.size:
        return resampled
    result = np.empty((*way.size, 3), dtype=np.uint8).transpose(2, 0, 1)
    result[:] = np.array(way.fill, dtype=np.uint8)[:, None, None]
    result[:, rows.at : rows.to, columns.at : columns.to] = resampled
    return result


class Side(NamedTuple):
    """Which pixels of a side are read, and where they go."""

    start: int
    stop: int
    at: int
    to: int


def sides(height: int, width: int, region: Region, way: Way) -> tuple[Side, Side]:
    """Which rows and columns of a picture are read for a region, and where they go."""
    rows = _side(region.top, region.bottom, height, way.size[0])
    return rows, _side(region.left, region.right, width, way.size[1])


def _side(low: float, high: float, length: int, wanted: int) -> Side:
    start = min(max(0, round(low)), length - 1)
    stop = max(min(length, round(high)), start + 1)
    scale = wanted / (high - low)
    at = round((start - low) * scale) if low < -0.5 else 0
    to = round((stop - low) * scale) if high > length + 0.5 else wanted
    at = min(at, wanted - 1)
    return Side(start, stop, at, max(to, at + 1))


def resized(pixels: Rgb, size: tuple[int, int], interpolation: Interpolation) -> Rgb:
    """All of some pixels in another size: uint8 (height, width, 3) -> (3, height, width).

    The pixels are the same with torch and without; with it they come several times as fast, and to import it takes
    seconds and hundreds of megabytes. So it is used where the process has imported it already.
    """
    # torch has a vectorised path for one image in channels-last order, which runs on one thread. Copying the slice must
    # not take more either: every decoding thread would then have an OpenMP team, and with more threads than cores, each
    # parallel loop of the step itself sleeps and wakes: 4 to 46 us an image for its mirroring.
    # numpy permutes the axes, because each operator of torch releases the GIL and waits for it again.
    image = np.ascontiguousarray(pixels).reshape(1, *pixels.shape).transpose(0, 3, 1, 2)
    if pixels.shape[:2] != size:
        if sys.modules.get("torch") is None:
            return antialiased(pixels, size, interpolation)
        import torch
        from torch.nn import functional as F

        image = F.interpolate(torch.from_numpy(image), size, mode=interpolation, antialias=True).numpy()
    planes: Rgb = image[0]
    return planes
