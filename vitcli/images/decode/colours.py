"""Colour modes: a decoded picture of any mode (CMYK, palette, 16-bit grey, transparency) as RGB of 8 bits."""

from __future__ import annotations

import numpy as np
from PIL import Image

from vitcli.images.decode.picture import UnreadableImage

DEEP_GREY = ("I", "I;16", "I;16L", "I;16B", "I;16N")
# 65535 / 255: the factor between full white in 16 and in 8 bits.
GREY_LEVELS_PER_BYTE = 257


def to_rgb(image: Image.Image) -> Image.Image:
    """Three bytes a pixel: 16 bits scaled, transparency on white, everything else converted.

    Raises:
        UnreadableImage: Floating-point values, whose white is unknown, or integers of more than 16 bits.
    """
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
    # Not by Pillow, whose convert() clips everything above 255 to white.
    values = np.asarray(image)
    if values.max() > 65535 or values.min() < 0:
        raise UnreadableImage("32-bit grey values outside 0 to 65535; save it with 8 or 16 bits")
    grey = ((values.astype(np.uint32) + GREY_LEVELS_PER_BYTE // 2) // GREY_LEVELS_PER_BYTE).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    return Image.fromarray(grey).convert("RGB")
