"""Grey of more than 8 bits: which value is black and which is white, and the picture scaled to bytes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from vitcli.images.decode.picture import UnreadableImage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vitcli.images.decode.said import Said

DEEP_GREY = ("I", "I;16", "I;16L", "I;16B", "I;16N")
# White where the file does not say it: the largest number of 8, 10, 12 ... bits that holds the picture's values. In
# steps of two bits, so that the brightest pixel has at least a quarter of white.
WHITES: tuple[int, ...] = tuple((1 << bits) - 1 for bits in range(8, 33, 2))


def grey_to_rgb(image: Image.Image, said: Said, white: int | None = None) -> Image.Image:
    """Grey of more than 8 bits as three equal bytes a pixel, from black to white; what is brighter is white.

    White is the value given, or what the file says (MaxVal of a PGM, BitsPerSample of 12 bits and SMaxSampleValue of a
    TIFF), or the largest number of 8, 10, 12, 14, 16 ... bits that holds all values of the picture. So a picture whose
    values fill 16 bits is divided by 257, one of 12 bits in a file of 16 by 16, and the brightest pixel has at least a
    quarter of white. What the file says does not count where the picture's own values exceed it.

    Args:
        image: Of a mode in ``DEEP_GREY``.
        said: What its file says.
        white: The value of white; does not count where the decoder has scaled the picture.

    Raises:
        UnreadableImage: Negative values, and the file does not say which one is black.
    """
    values = np.asarray(image)
    if said.unsigned_32 and values.dtype == np.int32:
        values = values.view(np.uint32)
    grey = in_bytes(values, *black_and_white(values, said, white))
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    return Image.fromarray(grey).convert("RGB")


def black_and_white(values: NDArray[Any], said: Said, white: int | None = None) -> tuple[int, int]:
    """The values of black and of white in a picture of more than 8 bits.

    Args:
        values: Of all its pixels.
        said: What its file says.
        white: As in grey_to_rgb.

    Raises:
        UnreadableImage: As grey_to_rgb raises it.
    """
    low, high = int(values.min()), int(values.max())
    black = 0 if said.black is None or said.black > low else math.floor(said.black)
    if low < black:
        raise UnreadableImage(
            "negative values of grey, of which the file does not say which one is black (SMinSampleValue); save it "
            "with 8 or 16 bits without sign"
        )
    if said.scaled:
        full = WHITES[4]
    elif white is not None:
        full = white
    else:
        full = _white(values, high, said)
    return black if black < full else 0, full


def _white(values: NDArray[Any], high: int, said: Said) -> int:
    if said.white is not None and said.white >= max(high, 1):
        return math.ceil(said.white)
    if said.significant is not None:
        # PNG wants values scaled to 16 bits, the lower ones 0 or repeated; some programs write them as they are
        full = (1 << said.significant) - 1
        is_scaled = high > full or not (values & ((1 << 16 - said.significant) - 1)).any()
        return WHITES[4] if is_scaled else full
    if values.itemsize == 2 and not (values % 257).any():
        # 8 bits, scaled to 16 with care
        return WHITES[4]
    most = max(high, said.largest or 0)
    return next((white for white in WHITES if white >= most), WHITES[-1])


def in_bytes(values: NDArray[Any], black: int, white: int) -> NDArray[np.uint8]:
    """Values from black to white as 0 to 255, rounded to the nearest byte; what is brighter than white is white."""
    span = white - black
    # half the memory where the products fit
    kind = np.dtype(np.uint32 if black == 0 and max(span, int(values.max())) < 2**22 else np.int64)
    raised: NDArray[Any] = values.astype(kind)
    if black:
        raised -= black
    np.minimum(raised, span, out=raised)
    raised *= 510
    raised += span
    raised //= 2 * span
    return raised.astype(np.uint8)
