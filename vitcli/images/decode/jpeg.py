"""JPEG decoding: at the smallest scale that is enough (1/2, 1/4, 1/8), and an error where the file is truncated."""

from __future__ import annotations

import math
import re
from typing import NamedTuple, Self

import numpy as np
import simplejpeg
from PIL import Image

from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.decode.pixels import Rgb
from vitcli.images.decode.shortened import shortened
from vitcli.preprocess import Region

# libjpeg's warnings of pixels that are missing in the file and were filled in. It also warns of bytes between the
# segments and of odd headers; the picture is whole then.
CUT_OFF = re.compile(r"premature end|found marker 0xd9 instead of RST", re.IGNORECASE)
DAMAGED = re.compile(r"bad huffman code|instead of RST", re.IGNORECASE)
# all rows were decoded, and more data follows
LEFT_OVER = re.compile(r"extraneous bytes before marker", re.IGNORECASE)
# Divisor of the decoded size: pixels a side that the region must have for each one wanted (before the division). A half
# leaves two for each, as Pillow's thumbnail does, which on photos is 0.3 grey levels from the whole decoding and
# 3 at the 99.9th percentile (docs/lab/2026-11-25.md). A quarter that leaves two differs more, so it leaves three.
SCALES = {8: 24, 4: 12, 2: 4}
# least side of a copy that is only compared
SMALL = 64


def is_plain(image: Image.Image) -> bool:
    """Whether an opened image is a JPEG of three colours or of grey, of 8 bits."""
    return image.format in ("JPEG", "MPO") and image.mode in ("RGB", "L")


def decode(
    content: bytes, stored: tuple[int, int], region: Region, wanted: tuple[int, int], *, to_the_end: bool = True
) -> Rgb | None:
    """The pixels of a JPEG as stored, at the smallest scale that serves: uint8 (height, width, 3).

    At full scale they are, bit for bit, those of Pillow. None where another decoder has to try.

    Args:
        content: The bytes.
        stored: Width and height that the header gives.
        region: What of it is wanted, in pixels as stored.
        wanted: Height and width that the region will be resampled to.
        to_the_end: Whether rows below the region are decoded too. If not, their pixels are undefined.

    Raises:
        UnreadableImage: The file is cut off, where it was decoded.
    """
    spare = min((region.bottom - region.top) / wanted[0], (region.right - region.left) / wanted[1])
    scale = next((scale for scale, needed in SCALES.items() if needed <= spare), 1)
    width, height = (-(-side // scale) for side in stored)
    if not to_the_end:
        # edges are rounded in the smaller picture, and its last row may stand for less than a whole one
        rows = math.ceil(region.bottom) + 2 * scale
        upper = _upper(content, stored, rows, (height, width), scale)
        if upper is not None:
            return upper
    return _decode(content, "RGB", width, height)[0]


def _upper(content: bytes, stored: tuple[int, int], rows: int, size: tuple[int, int], scale: int) -> Rgb | None:
    short = shortened(content, stored, rows)
    if short is None:
        return None
    # memory for all rows, of which those below are never touched
    pixels = np.empty((*size, 3), dtype=np.uint8)
    try:
        simplejpeg.decode_jpeg(
            short.content, "RGB", min_width=size[1], min_height=short.rows // scale, buffer=pixels, strict=True
        )
    except ValueError as error:
        if not LEFT_OVER.search(str(error)):
            return None
    return pixels


def glance(content: bytes, stored: tuple[int, int]) -> tuple[Rgb | None, str]:
    """A small grey copy of a JPEG as stored, uint8 (height, width), and its decoder's warning.

    All of the file is read, but little is computed. The warning is empty where every pixel is as it was written.

    Args:
        content: The bytes.
        stored: Width and height that the header gives.

    Raises:
        UnreadableImage: The file is cut off.
    """
    scale = next((scale for scale in SCALES if min(stored) >= scale * SMALL), 1)
    pixels, complaint = _decode(content, "GRAY", *(-(-side // scale) for side in stored))
    return (None if pixels is None else pixels[:, :, 0]), complaint


def _decode(content: bytes, colours: str, width: int, height: int) -> tuple[Rgb | None, str]:
    complaint = ""
    try:
        try:
            pixels: Rgb = simplejpeg.decode_jpeg(content, colours, min_width=width, min_height=height, strict=True)
        except ValueError as error:
            if CUT_OFF.search(str(error)):
                raise UnreadableImage("truncated") from error
            complaint = str(error) if DAMAGED.search(str(error)) else ""
            pixels = simplejpeg.decode_jpeg(content, colours, min_width=width, min_height=height, strict=False)
    except ValueError:
        return None, ""
    return pixels, complaint


class Turn(NamedTuple):
    """How a picture as stored becomes upright: mirrored across, mirrored down, and then its sides swapped."""

    across: bool = False
    down: bool = False
    swap: bool = False

    @classmethod
    def of(cls, orientation: int) -> Self:
        """The turn of an EXIF orientation, 1 to 8."""
        return cls(orientation in (2, 3, 7, 8), orientation in (3, 4, 6, 7), orientation >= 5)

    def size(self, upright: tuple[int, int]) -> tuple[int, int]:
        """Height and width as stored."""
        return (upright[1], upright[0]) if self.swap else upright

    def back(self, region: Region, height: int, width: int) -> Region:
        """A region of the upright picture, of so many pixels, as it is stored."""
        left, top, right, bottom = region
        if self.swap:
            left, top, right, bottom, height, width = top, left, bottom, right, width, height
        if self.across:
            left, right = width - right, width - left
        if self.down:
            top, bottom = height - bottom, height - top
        return Region(left, top, right, bottom)

    def upright(self, planes: Rgb) -> Rgb:
        """Pixels as stored, (3, height, width), turned upright."""
        if self.across:
            planes = planes[:, :, ::-1]
        if self.down:
            planes = planes[:, ::-1]
        return planes.swapaxes(1, 2) if self.swap else planes
