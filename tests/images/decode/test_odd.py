"""Odd files, made here: each gets its verdict, its upright size and its colours, by every way in."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from vitcli.images.decode.encoded import EncodedPicture, strict
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.decode.pixels import Way
from vitcli.images.index.facts import SOUND, UNREADABLE, inspect
from vitcli.preprocess import Region

WIDTH, HEIGHT = 48, 32
RED, GREEN, WHITE = (200, 30, 40), (30, 160, 60), (255, 255, 255)
# red above, green below: in every file that shows it, upright


def flag(mode: str = "RGB", width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    image = Image.new("RGB", (width, height), RED)
    image.paste(GREEN, (0, height // 2, width, height))
    return image.convert(mode) if mode != "RGB" else image


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def turned(orientation: int, kind: str = "JPEG") -> bytes:
    back = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    stored = flag()
    for method in back.get(orientation, []):
        stored = stored.transpose(method)
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(stored, kind, exif=exif, **({"quality": 95} if kind == "JPEG" else {}))


def transparent(mode: str) -> bytes:
    image = flag("RGBA")
    image.putalpha(0)
    return saved(image.convert(mode) if mode != "RGBA" else image, "PNG")


def palette_with_transparency() -> bytes:
    image = flag().quantize(2)
    return saved(image, "PNG", transparency=image.getpixel((0, 0)))


def sixteen_bits(kind: str) -> bytes:
    levels = np.zeros((HEIGHT, WIDTH), dtype=np.uint16)
    levels[: HEIGHT // 2] = 60 * 257
    levels[HEIGHT // 2 :] = 200 * 257
    return saved(Image.fromarray(levels), kind)


def animated(kind: str) -> bytes:
    return saved(flag(), kind, save_all=True, append_images=[Image.new("RGB", (WIDTH, HEIGHT), "blue")], duration=50)


def png_header(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = b"IHDR" + header
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(header)) + body + struct.pack(">I", zlib.crc32(body))


def cut(content: bytes, share: float, end: bytes = b"") -> bytes:
    return content[: int(len(content) * share)] + end


def noisy(kind: str, **options: object) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    return saved(Image.fromarray(pixels), kind, **options)


GREY = ((60,) * 3, (200,) * 3)
SHOWN: dict[str, tuple[bytes, tuple[tuple[int, ...], tuple[int, ...]]]] = {
    **{f"orientation {number}": (turned(number), (RED, GREEN)) for number in range(1, 9)},
    "orientation 6 in PNG": (turned(6, "PNG"), (RED, GREEN)),
    "orientation 8 in TIFF": (turned(8, "TIFF"), (RED, GREEN)),
    "orientation 5 in WebP": (turned(5, "WEBP"), (RED, GREEN)),
    "progressive": (saved(flag(), "JPEG", quality=95, progressive=True), (RED, GREEN)),
    "grey JPEG": (saved(flag("L"), "JPEG", quality=95), ((82,) * 3, (110,) * 3)),
    "CMYK": (saved(flag("CMYK"), "JPEG", quality=95), (RED, GREEN)),
    "16 bits in PNG": (sixteen_bits("PNG"), GREY),
    "16 bits in TIFF": (sixteen_bits("TIFF"), GREY),
    "nothing but alpha": (transparent("RGBA"), (WHITE, WHITE)),
    "grey and alpha": (transparent("LA"), (WHITE, WHITE)),
    "palette with transparency": (palette_with_transparency(), (WHITE, GREEN)),
    "palette": (saved(flag().quantize(4), "PNG"), (RED, GREEN)),
    "one bit": (saved(flag("L").point(lambda level: 255 * (level > 95), mode="1"), "PNG"), ((0,) * 3, WHITE)),
    "animated GIF": (animated("GIF"), (RED, GREEN)),
    "animated WebP": (animated("WEBP"), (RED, GREEN)),
    "BMP": (saved(flag(), "BMP"), (RED, GREEN)),
    "PPM": (saved(flag(), "PPM"), (RED, GREEN)),
    "AVIF": (saved(flag(), "AVIF", quality=95), (RED, GREEN)),
    "JPEG 2000": (saved(flag(), "JPEG2000"), (RED, GREEN)),
    "TIFF": (saved(flag(), "TIFF", compression="tiff_lzw"), (RED, GREEN)),
    "broken EXIF": (saved(flag(), "JPEG", quality=95, exif=b"Exif\0\0II*\0\xff\xff\xff\xff"), (RED, GREEN)),
}
REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty file"),
    "a page": (b"<html>not found</html>", "not an image (cannot identify)"),
    "a pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "not an image (cannot identify)"),
    "AppleDouble": (b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X", "not an image (cannot identify)"),
    "a PDF": (b"%PDF-1.7\n1 0 obj\n", "not an image (cannot identify)"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image (cannot identify)"),
    "cut JPEG": (cut(noisy("JPEG"), 0.5), "truncated"),
    "half JPEG with an end": (cut(noisy("JPEG"), 0.5, b"\xff\xd9"), "truncated"),
    "half progressive JPEG": (cut(noisy("JPEG", progressive=True), 0.5, b"\xff\xd9"), "truncated"),
    "cut PNG": (cut(noisy("PNG"), 0.5), "truncated"),
    "cut WebP": (cut(noisy("WEBP"), 0.5), ""),
    "cut TIFF": (cut(noisy("TIFF", compression="tiff_lzw"), 0.5), ""),
    "a bomb": (saved(Image.new("1", (20_000, 20_000)), "PNG"), "too large ("),
    "no pixels": (png_header(0, 5), ""),
    "floating point": (saved(Image.fromarray(np.ones((3, 3), dtype=np.float32)), "TIFF"), "floating-point pixels"),
}


@pytest.mark.parametrize("name", SHOWN)
def test_what_shows_the_flag_shows_it_upright_by_every_way_in(name: str) -> None:
    content, colours = SHOWN[name]
    facts = inspect(content)
    assert (facts.verdict, facts.reason, facts.width, facts.height) == (SOUND, "", WIDTH, HEIGHT)
    picture = EncodedPicture(content)
    crop = picture.crop(Region(0, 0, WIDTH, HEIGHT), Way((16, 24), "bilinear"))
    for pixels in (crop.transpose(1, 2, 0), np.asarray(picture.image())):
        for row, expected in zip((pixels.shape[0] // 8, -pixels.shape[0] // 8), colours, strict=True):
            assert np.abs(pixels[row, 2:-2].astype(int) - expected).max() <= 12, name


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_whole_picture_is_refused_by_every_way_in(name: str) -> None:
    content, reason = REFUSED[name]
    facts = inspect(content)
    assert facts.verdict == UNREADABLE
    assert facts.reason.startswith(reason)
    assert facts.reason
    with strict(), pytest.raises(UnreadableImage):
        EncodedPicture(content).crop(Region(0, 0, 4, 4), Way((4, 4), "bilinear"))
    with strict(), pytest.raises(UnreadableImage):
        EncodedPicture(content).image()
