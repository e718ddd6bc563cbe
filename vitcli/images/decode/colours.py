"""Colour modes: a decoded picture of any mode (CMYK, palette, 16-bit grey, transparency) as RGB of 8 bits."""

from __future__ import annotations

from PIL import Image

from vitcli.images.decode.grey import DEEP_GREY, grey_to_rgb
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.decode.said import NOTHING_SAID, Said


def to_rgb(image: Image.Image, said: Said = NOTHING_SAID, white: int | None = None) -> Image.Image:
    """Three bytes a pixel: deep grey scaled, transparency on white, everything else converted.

    Args:
        image: Of any mode.
        said: What its file says of grey of more than 8 bits.
        white: The value of white in pictures of more than 8 bits; None for what the file says.

    Raises:
        UnreadableImage: Floating-point values, whose white is unknown, or negative ones, whose black is.
    """
    if image.mode in DEEP_GREY:
        # not by Pillow, whose convert() clips everything above 255 to white
        return grey_to_rgb(image, said, white)
    if image.mode == "F":
        raise UnreadableImage("floating-point pixels, whose white is not known; save it with 8 or 16 bits")
    if image.mode == "La":
        # grey that is multiplied by its opacity, from which Pillow converts to this mode alone
        image = image.convert("LA")
    if not image.has_transparency_data:
        return image.copy() if image.mode == "RGB" else image.convert("RGB")
    transparent = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(transparent, tuple) and max(transparent) > 255:
        # Pillow reads 16-bit colours down to their high bytes, but not the transparent one.
        image.info["transparency"] = tuple(value >> 8 for value in transparent)
    ground = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")
