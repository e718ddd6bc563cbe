"""Colours of 16 bits: scaled to 8 bits by their white, as deep grey is, where Pillow alone keeps their high bytes."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np
from PIL import Image, ImageFile

from vitcli.images.decode.grey import WHITES, black_and_white, in_bytes
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.decode.said import BITS_PER_SAMPLE, NOTHING_SAID, Said

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A raw mode tells Pillow where the high byte of a value is, which it keeps: told the opposite, it keeps the low one.
OPPOSITE = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}
# read as RGBA, these are all four bytes: grey high, grey low, alpha high, alpha low
GREY_AND_ALPHA = "LA;16B"
PLANAR_CONFIGURATION, SEPARATE = 284, 2
FULL = WHITES[4]
# where the brightest high byte is below this, 14 bits hold all values
FILLS = 64
NEARLY_NONE = 16


@final
class DeepColours:
    """The colours of a PNG or TIFF of 16 bits each, read exactly by decoding the file a second and a third time.

    Args:
        content: The bytes of the file.
        kind: PNG or TIFF.
        channels: RGB, RGBA, RGBa (premultiplied) or LA.
        high: Pillow's tiles that decode to the high bytes, or with LA to both.
        low: Those that decode to the low bytes; None where Pillow cannot.
    """

    def __init__(self, content: bytes, kind: str, channels: str, high: list[Any], low: list[Any] | None) -> None:
        self.content = content
        self.kind = kind
        self.channels = channels
        self.high = high
        self.low = low

    @classmethod
    def of(cls, image: ImageFile.ImageFile, content: bytes) -> Self | None:
        """The colours of an opened picture; None if it has none of 16 bits.

        Args:
            image: Not decoded yet. Where Pillow would take 16 bits in separate planes for 8, it is corrected.
            content: The bytes of the file.
        """
        if image.format not in ("PNG", "TIFF") or image.mode not in ("RGB", "RGBA") or not image.tile:
            return None
        separate = _are_separate(image)
        if separate:
            _correct(image)
        first = _raw(image.tile[0])
        if ";16" not in first:
            return None
        tiles, channels = list(image.tile), image.mode
        if first == GREY_AND_ALPHA:
            both = _renamed(tiles, lambda _: "RGBA")
            return cls(content, "PNG", "LA", both, both)
        if first.startswith("RGBa"):
            # a value can be divided by its alpha, but not each of its bytes
            tiles, channels = _renamed(tiles, lambda raw: raw.replace("RGBa", "RGBA")), "RGBa"
        # libtiff's planes are always taken in the order of this machine
        known = not separate or tiles[0].codec_name == "raw"
        low = _renamed(tiles, lambda raw: raw[:-1] + OPPOSITE[raw[-1]]) if known else None
        return cls(content, image.format, channels, tiles, low)

    def scaled(self, loaded: Image.Image, said: Said, white: int | None) -> Image.Image:
        """The picture in 8 bits a colour, from black to the white that is given, stated, or holds all of its values.

        Args:
            loaded: The picture as Pillow decodes it: the high bytes. They will do where they fill their range.
            said: What its file says.
            white: The value of white; None for what the file says.

        Raises:
            UnreadableImage: Its low bytes cannot be read, and there is next to nothing in the high ones.
        """
        brightest = [high for _, high in loaded.getextrema()]  # type: ignore[misc]
        fills = max(brightest[:3]) >= FILLS and brightest[-1] >= FILLS and self.channels != "RGBa"
        if fills and white is None and said == NOTHING_SAID:
            return loaded
        if self.low is None:
            if min(max(brightest[:3]), brightest[-1]) < NEARLY_NONE:
                raise UnreadableImage(
                    "16 bits a colour in compressed separate planes, of which only the high bytes can be read, and "
                    "they are nearly 0; save it without separate planes"
                )
            return loaded
        return self._picture(self._values(self.low), said, white, loaded.info.get("transparency"))

    def _values(self, low: list[Any]) -> NDArray[np.uint16]:
        high = self._read(self.high)
        if self.channels == "LA":
            return high.view(">u2").astype(np.uint16)
        values: NDArray[np.uint16] = np.left_shift(high, 8, dtype=np.uint16)
        return values | self._read(low)

    def _read(self, tiles: list[Any]) -> NDArray[np.uint8]:
        with Image.open(io.BytesIO(self.content), formats=(self.kind,)) as image:
            assert isinstance(image, ImageFile.ImageFile)
            image.tile = list(tiles)
            return np.array(image)

    def _picture(self, values: NDArray[np.uint16], said: Said, white: int | None, clear: object) -> Image.Image:
        # premultiplied colours and their alpha are of one scale
        is_apart = self.channels in ("LA", "RGBA")
        black, full = black_and_white(values[:, :, :-1] if is_apart else values, said, white)
        shown = np.empty(values.shape, dtype=np.uint8)
        for channel in range(values.shape[2]):
            shown[:, :, channel] = in_bytes(values[:, :, channel], black, full)
        if is_apart:
            most = int(values[:, :, -1].max())
            # fully opaque pixels show an alpha of fewer bits
            shown[:, :, -1] = in_bytes(values[:, :, -1], 0, most if most in WHITES else FULL)
        picture = Image.frombytes(self.channels, (values.shape[1], values.shape[0]), shown.tobytes())
        if isinstance(clear, tuple) and self.channels == "RGB":
            picture.putalpha(Image.fromarray((values != clear).any(axis=2).astype(np.uint8) * 255))
        return picture.convert("RGBA") if self.channels == "RGBa" else picture


def _are_separate(image: ImageFile.ImageFile) -> bool:
    tags: Any = getattr(image, "tag_v2", {})
    return bool(tags.get(PLANAR_CONFIGURATION) == SEPARATE)


def _correct(image: ImageFile.ImageFile) -> None:
    tags: Any = getattr(image, "tag_v2", {})
    if image.tile[0].codec_name == "raw" and 16 in tags.get(BITS_PER_SAMPLE, ()):
        order = "L" if tags.prefix == b"II" else "B"
        image.tile = _renamed(image.tile, lambda raw: f"{raw};16{order}")


def _raw(tile: Any) -> str:
    """The raw mode of a tile, which is its only argument or the first of several."""
    return str(tile.args if isinstance(tile.args, str) else tile.args[0])


def _renamed(tiles: list[Any], rename: Callable[[str], str]) -> list[Any]:
    """The same tiles, decoded in another raw mode."""
    return [
        tile._replace(args=rename(tile.args) if isinstance(tile.args, str) else (rename(tile.args[0]), *tile.args[1:]))
        for tile in tiles
    ]
