"""How does any image file become one upright RGB picture, or a reason why it cannot?"""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

# Formats of pictures only: EPS starts another program, PDF and FITS have no bounds. MPO is opened by JPEG.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "TIFF", "GIF", "PPM", "ICO", "PSD", "AVIF", "JPEG2000")
MAX_PIXELS = 100_000_000

EXIF_ORIENTATION = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
DEEP_GREY = ("I", "I;16", "I;16L", "I;16B", "I;16N")
# 65535 / 255: the factor between full white in 16 and in 8 bits.
GREY_LEVELS_PER_BYTE = 257


class UnreadableImage(Exception):  # noqa: N818 - a fact about a file, not a failure of the program
    """A file that is no usable image; the message is a short reason in one line, without the path."""


def open_image(path: str | os.PathLike[str]) -> Image.Image:
    """The upright RGB picture of any image file.

    EXIF orientation is applied. Transparent pixels are shown on white. 16-bit grey is scaled to 8 bits, not
    clipped. CMYK, LAB, palettes, grey and black-and-white are converted. Of several frames the first is taken.
    The ending of the name does not matter, the content does.

    Args:
        path: The file.

    Raises:
        UnreadableImage: The file is missing, empty, damaged, cut off, of a format that is not in ``FORMATS``, of
            more than ``MAX_PIXELS`` pixels, or holds floating-point values, whose white is unknown.
    """
    with _strict():
        try:
            return _read(Path(path))
        except UnreadableImage:
            raise
        except Exception as error:
            # Decoders raise nearly every kind of error on damaged files, and each costs one file, not the run.
            raise UnreadableImage(_reason(error)) from error


@contextmanager
def _strict() -> Iterator[None]:
    """Pillow's global choices, for the time of one image: no warnings, and no grey in place of missing pixels."""
    allowed = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with warnings.catch_warnings():
            # About odd metadata, which changes no pixel, and about large pictures, which are decided on here.
            warnings.simplefilter("ignore")
            yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = allowed


def _read(path: Path) -> Image.Image:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableImage("not a regular file")
    if status.st_size == 0:
        raise UnreadableImage("empty file")
    with Image.open(path, formats=FORMATS) as image:
        _check_size(image)
        image.load()
        _check_size(image)
        return _to_rgb(_to_upright(image))


def _check_size(image: Image.Image) -> None:
    # Once on the header, before any memory is taken, and once decoded: an icon's header may lie.
    if image.width < 1 or image.height < 1:
        raise UnreadableImage("has no pixels")
    if image.width * image.height > MAX_PIXELS:
        raise UnreadableImage(
            f"too large ({image.width} x {image.height} pixels, at most {MAX_PIXELS // 10**6} million)"
        )


def _to_upright(image: Image.Image) -> Image.Image:
    # After load(): Pillow turns TIFF itself while decoding, and PNG may hold EXIF behind its pixels.
    try:
        orientation = image.getexif().get(EXIF_ORIENTATION, 1)
    except Exception:
        # Metadata that cannot be parsed says nothing about the pixels.
        return image
    method = UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    if method is None:
        return image
    upright = image.transpose(method)
    upright.info = dict(image.info)
    return upright


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in DEEP_GREY:
        return _deep_grey_to_rgb(image)
    if image.mode == "F":
        raise UnreadableImage("floating-point pixels, whose white is not known; save it with 8 or 16 bits")
    if not image.has_transparency_data:
        return image.copy() if image.mode == "RGB" else image.convert("RGB")
    transparent = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(transparent, tuple) and max(transparent) > 255:
        # Pillow reads 16-bit colours down to their high bytes, but not the transparent one.
        image.info["transparency"] = tuple(value >> 8 for value in transparent)
    ground = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")


def _deep_grey_to_rgb(image: Image.Image) -> Image.Image:
    # By hand, because Pillow's convert() clips everything above 255 to white.
    values = np.asarray(image)
    if values.max() > 65535 or values.min() < 0:
        raise UnreadableImage("32-bit grey values outside 0 to 65535; save it with 8 or 16 bits")
    grey = ((values.astype(np.uint32) + GREY_LEVELS_PER_BYTE // 2) // GREY_LEVELS_PER_BYTE).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    return Image.fromarray(grey).convert("RGB")


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not an image (cannot identify)"
    if isinstance(error, Image.DecompressionBombError):
        return f"too large (at most {MAX_PIXELS // 10**6} million pixels)"
    if isinstance(error, MemoryError):
        return "does not fit into memory"
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, PermissionError):
        return "permission denied"
    if "truncated" in str(error).lower():
        return "truncated"
    lines = str(error).splitlines()
    return f"damaged ({lines[0][:80] if lines else type(error).__name__})"
