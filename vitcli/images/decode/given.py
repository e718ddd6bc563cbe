"""Given pictures: what a program hands over, an image of Pillow's or an array of numbers, as an upright RGB picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from vitcli.errors import DataError
from vitcli.images.decode.colours import to_rgb
from vitcli.images.decode.encoded import MAX_PIXELS, UPRIGHT, check_size, orientation, reasons, turned
from vitcli.images.decode.picture import Pixels
from vitcli.images.decode.said import NOTHING_SAID

WANTED = "give uint8 of (height, width, 3) or (height, width)"


def check_array(array: Any) -> None:
    """Check that an array is a picture.

    Args:
        array: Of NumPy's.

    Raises:
        DataError: It is neither RGB nor grey, or its numbers are not bytes, of which no one knows which is white.
    """
    what = f"an array of {array.dtype} {array.shape}"
    is_rgb, is_grey = array.ndim == 3 and array.shape[2] == 3, array.ndim == 2
    if array.dtype != np.uint8:
        remedy = "(255 * array).round().astype('uint8') for one of 0 to 1" if array.dtype.kind == "f" else WANTED
        raise DataError(f"{what}: its numbers are not bytes; {remedy}")
    if not (is_rgb or is_grey):
        more = "; colours come last: array.transpose(1, 2, 0)" if array.ndim == 3 and array.shape[0] == 3 else ""
        raise DataError(f"{what}: is no picture; {WANTED}{more}")
    if not array.size:
        raise DataError(f"{what}: has no pixels; {WANTED}")


def of_array(array: Any) -> Pixels:
    """An array as a picture.

    Args:
        array: uint8 (height, width, 3) as red, green and blue, or (height, width) as grey.
    """
    return Pixels(np.ascontiguousarray(array if array.ndim == 3 else np.stack([array] * 3, axis=2)))


def of_image(image: Image.Image, white: int | None = None, max_pixels: int = MAX_PIXELS) -> Pixels:
    """An image of Pillow's as a picture: turned as its EXIF says, transparency on white, any mode as RGB.

    Args:
        image: Of any mode; its pixels may be still in the file.
        white: The value of white in pictures of more than 8 bits; None for the smallest usual one that holds all.
        max_pixels: Of more, it is not decoded.

    Raises:
        UnreadableImage: Damaged, too large, or floating-point values, whose white is unknown.
    """
    with reasons(max_pixels):
        check_size(image, max_pixels)
        image.load()
        method = UPRIGHT.get(orientation(image))
        upright = image if method is None else turned(image, method)
        return Pixels(np.array(to_rgb(upright, NOTHING_SAID, white)))
