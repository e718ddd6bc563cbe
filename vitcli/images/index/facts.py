"""Facts of a file, found by decoding it once: whether it is a whole picture, its size, format and hashes."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vitcli.images.decode.encoded import MAX_PIXELS, EncodedPicture
from vitcli.images.decode.picture import UnreadableImage

UNKNOWN, SOUND, SUSPICIOUS, UNREADABLE = range(4)
# so many pixels a side, or up to twice as many, say which levels a picture has
SAMPLED = 128
DIGEST_BYTES = LOOKS_BYTES = 16
NOTHING = bytes(DIGEST_BYTES)


class Facts(NamedTuple):
    """What there is to know of a file.

    Args:
        verdict: SOUND, SUSPICIOUS (it opens, but its decoder warns) or UNREADABLE.
        reason: Why it is not sound; empty if it is.
        height: Upright, in pixels; 0 where unknown.
        width: Upright, in pixels; 0 where unknown.
        format: Of the content, such as JPEG; empty where unknown.
        digest: Hash of the content; equal files have equal ones.
        looks: Perceptual hash of the pixels; those of similar pictures differ in few bits.
        low: The grey level that 1 % of the pixels do not exceed.
        high: The grey level that 99 % of the pixels do not exceed.
    """

    verdict: int
    reason: str = ""
    height: int = 0
    width: int = 0
    format: str = ""
    digest: bytes = NOTHING
    looks: bytes = NOTHING
    low: int = 0
    high: int = 255


def inspect(content: bytes, max_pixels: int = MAX_PIXELS, white: int | None = None) -> Facts:
    """The facts of a file's bytes; the whole picture is decoded, at a small scale.

    Args:
        content: The bytes.
        max_pixels: Images of more pixels are not decoded.
        white: The value of white in pictures of more than 8 bits; None for what the file says.
    """
    digest = hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()
    try:
        picture = EncodedPicture(content, max_pixels)
    except UnreadableImage as error:
        return Facts(UNREADABLE, str(error), digest=digest)
    known = Facts(SOUND, "", picture.height, picture.width, picture.format, digest)
    try:
        grey, complaint = picture.glance(white)
    except UnreadableImage as error:
        return known._replace(verdict=UNREADABLE, reason=str(error))
    verdict = SUSPICIOUS if complaint else SOUND
    low, high = tones(grey)
    return known._replace(verdict=verdict, reason=complaint, looks=looks(grey), low=low, high=high)


def tones(grey: NDArray[np.uint8]) -> tuple[int, int]:
    """The levels that 1 % and 99 % of the pixels do not exceed, of pixels evenly spread over the picture.

    Args:
        grey: uint8 (height, width).
    """
    down, across = (max(1, side // SAMPLED) for side in grey.shape)
    upto = np.bincount(grey[::down, ::across].ravel(), minlength=256).cumsum()
    low, high = np.searchsorted(upto, (0.01 * upto[-1], 0.99 * upto[-1])).tolist()
    return low, high


def looks(grey: NDArray[np.uint8]) -> bytes:
    """The difference hash: which of two neighbouring cells of a coarse grid is brighter, 64 pairs across and 64 down.

    Krawetz 2013; it survives another size, another encoding and another brightness.

    Args:
        grey: uint8 (height, width).
    """
    coarse = np.asarray(Image.fromarray(grey).resize((9, 9), Image.Resampling.BOX), dtype=np.int16)
    pairs = (coarse[:8, 1:] > coarse[:8, :-1], coarse[1:, :8] > coarse[:-1, :8])
    return np.packbits(np.stack(pairs)).tobytes()


def thumbnail(
    content: bytes, max_pixels: int = MAX_PIXELS, white: int | None = None, side: int = 32
) -> NDArray[np.float32]:
    """A small upright grey copy, float32 (side, side), for comparing two pictures.

    Raises:
        UnreadableImage: The file is no usable image.
    """
    grey, _ = EncodedPicture(content, max_pixels).glance(white)
    small = Image.fromarray(grey).resize((side, side), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32)
