"""Is a file a whole picture, how large, and like which others? Everything that looking at it once can tell."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vitcli.images.decode.encoded import MAX_PIXELS, EncodedPicture
from vitcli.images.decode.picture import UnreadableImage

UNKNOWN, SOUND, SUSPICIOUS, UNREADABLE = range(4)
DIGEST_BYTES = LOOKS_BYTES = 16
NOTHING = bytes(DIGEST_BYTES)


class Facts(NamedTuple):
    """What there is to know of a file.

    Args:
        verdict: SOUND, SUSPICIOUS (it opens, but its decoder complains) or UNREADABLE.
        reason: Why it is not sound; empty if it is.
        height: Upright, in pixels; 0 where unknown.
        width: Upright, in pixels; 0 where unknown.
        format: Of the content, such as JPEG; empty where unknown.
        digest: Of the content; equal files have equal ones.
        looks: Of the pixels; those of similar pictures differ in few bits.
    """

    verdict: int
    reason: str = ""
    height: int = 0
    width: int = 0
    format: str = ""
    digest: bytes = NOTHING
    looks: bytes = NOTHING


def inspect(content: bytes, max_pixels: int = MAX_PIXELS) -> Facts:
    """Everything about the bytes of a file; every pixel is decoded, if small.

    Args:
        content: The bytes.
        max_pixels: How many pixels are still decoded.
    """
    digest = hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()
    try:
        picture = EncodedPicture(content, max_pixels)
    except UnreadableImage as error:
        return Facts(UNREADABLE, str(error), digest=digest)
    known = Facts(SOUND, "", picture.height, picture.width, picture.format, digest)
    try:
        grey, complaint = picture.glance()
    except UnreadableImage as error:
        return known._replace(verdict=UNREADABLE, reason=str(error))
    verdict = SUSPICIOUS if complaint else SOUND
    return known._replace(verdict=verdict, reason=complaint, looks=looks(grey))


def looks(grey: NDArray[np.uint8]) -> bytes:
    """Which of neighbouring places is brighter, on a coarse grid: 64 pairs across and 64 down, a bit each.

    The difference hash (Krawetz 2013), which survives another size, another encoding and another brightness.

    Args:
        grey: uint8 (height, width).
    """
    coarse = np.asarray(Image.fromarray(grey).resize((9, 9), Image.Resampling.BOX), dtype=np.int16)
    pairs = (coarse[:8, 1:] > coarse[:8, :-1], coarse[1:, :8] > coarse[:-1, :8])
    return np.packbits(np.stack(pairs)).tobytes()


def thumbnail(content: bytes, max_pixels: int = MAX_PIXELS, side: int = 32) -> NDArray[np.float32]:
    """A small upright grey copy, float32 (side, side), for comparing two pictures.

    Raises:
        UnreadableImage: The file is no usable image.
    """
    grey, _ = EncodedPicture(content, max_pixels).glance()
    small = Image.fromarray(grey).resize((side, side), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32)
