"""What a file says of values of more than 8 bits: TIFF's black, white and largest value, PNG's significant bits."""

from __future__ import annotations

import math
import struct
from typing import Any, NamedTuple

from PIL import Image

# Formats whose white the decoder knows and has scaled to 65535: MaxVal of a PGM, the precision of a JPEG 2000.
SCALED_TO_16_BITS = ("PPM", "JPEG2000")
BITS_PER_SAMPLE, SAMPLE_FORMAT, MAX_SAMPLE_VALUE, S_MIN_SAMPLE_VALUE, S_MAX_SAMPLE_VALUE = 258, 339, 281, 340, 341
UNSIGNED = 1
PNG_SIGNATURE_BYTES = 8


class Said(NamedTuple):
    """What a file says of its values; None where it says nothing.

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


NOTHING_SAID = Said()


def said(image: Image.Image, content: bytes) -> Said:
    """What a file of more than 8 bits says of its values.

    Args:
        image: As Pillow has opened it.
        content: The bytes of the file.
    """
    if image.format in SCALED_TO_16_BITS:
        return Said(scaled=True)
    if image.format == "PNG":
        return Said(significant=_significant_bits(content))
    tags: Any = getattr(image, "tag_v2", None)
    if tags is None:
        return NOTHING_SAID
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


def _significant_bits(content: bytes) -> int | None:
    """The sBIT of a PNG, which stands before its pixels; of several colours the most."""
    start = PNG_SIGNATURE_BYTES
    while start + 8 <= len(content):
        length, name = struct.unpack_from(">I4s", content, start)
        if name == b"sBIT":
            # of grey or of three colours; what follows is of the transparency
            bits = max(content[start + 8 : start + 8 + (length if length & 1 else length - 1)], default=0)
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
