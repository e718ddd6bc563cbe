"""Grey of more than 8 bits: which value is black and which is white, and the picture scaled to bytes."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from vitcli.images.decode.picture import UnreadableImage

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEEP_GREY = ("I", "I;16", "I;16L", "I;16B", "I;16N")
# Formats whose white the decoder knows and has scaled to 65535: MaxVal of a PGM, the precision of a JPEG 2000.
SCALED_TO_16_BITS = ("PPM", "JPEG2000")
# White where the file does not say it: the largest number of 8, 10, 12 ... bits that holds the picture's values. In
# steps of two bits, so that the brightest pixel has at least a quarter of white.
WHITES: tuple[int, ...] = tuple((1 << bits) - 1 for bits in range(8, 33, 2))
BITS_PER_SAMPLE, SAMPLE_FORMAT, MAX_SAMPLE_VALUE, S_MIN_SAMPLE_VALUE, S_MAX_SAMPLE_VALUE = 258, 339, 281, 340, 341
UNSIGNED = 1
PNG_SIGNATURE_BYTES = 8


class Said(NamedTuple):
    """What a file says of its values of grey; None where it says nothing.

    Args:
        black: The value of black.
        white: The value of white.
        largest: A value that the picture is said not to exceed.
        significant: How many bits of each value count (PNG's sBIT).
        unsigned_32: Whether values of 32 bits have no sign.
        scaled: Whether the decoder has scaled the file's white to 65535.
    """

    black: float | None = None
    white: float | None = None
    largest: float | None = None
    significant: int | None = None
    unsigned_32: bool = False
    scaled: bool = False


def said(image: Image.Image, content: bytes) -> Said:
    """What a file says of its values of grey.

    Args:
        image: As Pillow has opened it.
        content: The bytes of the file.
    """
    if image.mode not in DEEP_GREY:
        return Said()
    if image.format in SCALED_TO_16_BITS:
        return Said(scaled=True)
    if image.format == "PNG":
        return Said(significant=_significant_bits(content))
    tags: Any = getattr(image, "tag_v2", None)
    if tags is None:
        return Said()
    bits, kind, largest, black, white = (
        _number(tags.get(tag))
        for tag in (BITS_PER_SAMPLE, SAMPLE_FORMAT, MAX_SAMPLE_VALUE, S_MIN_SAMPLE_VALUE, S_MAX_SAMPLE_VALUE)
    )
    if bits == 12 and white is None:
        # nobody pads to 12 bits, as many do to 16 and 32
        white = 2**12 - 1
    if largest is not None and bits is not None and largest >= 2**bits - 1:
        # the default of the field
        largest = None
    return Said(black, white, largest, unsigned_32=bits == 32 and kind in (None, UNSIGNED))


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
    grey = _bytes(values, black if black < full else 0, full)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    return Image.fromarray(grey).convert("RGB")


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


def _bytes(values: NDArray[Any], black: int, white: int) -> NDArray[np.uint8]:
    """Rounded to the nearest byte."""
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


def _significant_bits(content: bytes) -> int | None:
    """The sBIT of a PNG of grey, which stands before its pixels."""
    start = PNG_SIGNATURE_BYTES
    while start + 8 <= len(content):
        length, name = struct.unpack_from(">I4s", content, start)
        if name == b"sBIT" and start + 8 < len(content):
            bits = content[start + 8]
            return bits if 1 <= bits < 16 else None
        if name in (b"IDAT", b"IEND"):
            return None
        start += 12 + length
    return None


def _number(value: object) -> float | None:
    """A tag's number; None if it holds no finite one."""
    if isinstance(value, tuple):
        value = value[0] if value else None
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, ArithmeticError):
        return None
    return number if math.isfinite(number) else None
