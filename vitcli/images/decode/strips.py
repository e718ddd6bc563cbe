"""Strips of a large picture: converted and resampled by a few rows at a time, for a copy takes 4 bytes a pixel."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vitcli.images.decode.colours import to_rgb
from vitcli.images.decode.grey import DEEP_GREY
from vitcli.images.decode.pixels import Rgb, Way, placed, resized, sides
from vitcli.preprocess import Region

# pixels of a picture from which strips pay, and of a strip
LARGE = 4_000_000
STRIP = 1_000_000


def has_strips(image: Image.Image) -> bool:
    """Whether a picture is large, and each of its pixels is converted by itself, which deep grey is not."""
    return image.width * image.height > LARGE and image.mode not in (*DEEP_GREY, "F")


def crop_in_strips(image: Image.Image, region: Region, way: Way) -> Rgb:
    """What ``resample`` makes of an upright picture: uint8 (3, height, width), bit for bit.

    It first narrows each row by itself, and then goes down the columns, so that rows may come a few at a time.

    Args:
        image: For which ``has_strips`` is true.
        region: Left, top, right and bottom edge, in pixels of the picture.
        way: How it is resampled.
    """
    rows, columns = sides(image.height, image.width, region, way)
    narrow = np.empty((rows.stop - rows.start, columns.to - columns.at, 3), dtype=np.uint8)
    for top, strip in _strips(image, rows.start, rows.stop, columns.start, columns.stop):
        at = top - rows.start
        height = strip.height
        planes = resized(np.asarray(strip), (height, narrow.shape[1]), way.interpolation)
        narrow[at : at + height] = planes.transpose(1, 2, 0)
    return placed(narrow, rows, columns, way)


def grey_in_strips(image: Image.Image) -> NDArray[np.uint8]:
    """An upright picture in grey: uint8 (height, width).

    Args:
        image: For which ``has_strips`` is true.
    """
    grey = np.empty((image.height, image.width), dtype=np.uint8)
    for top, strip in _strips(image, 0, image.height, 0, image.width):
        grey[top : top + strip.height] = np.asarray(strip.convert("L"))
    return grey


def _strips(image: Image.Image, top: int, bottom: int, left: int, right: int) -> Iterator[tuple[int, Image.Image]]:
    """RGB strips of a part of a picture from its top on, and the row at which each begins."""
    step = max(1, STRIP // (right - left))
    for row in range(top, bottom, step):
        yield row, to_rgb(image.crop((left, row, right, min(row + step, bottom))))
