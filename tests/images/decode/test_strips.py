"""A large picture is converted and resampled by strips: the same bits, in a fraction of the memory."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.bounds import bounded
from tests.conftest import photo
from vitcli.images.decode import strips
from vitcli.images.decode.encoded import EncodedPicture
from vitcli.images.decode.pixels import Way
from vitcli.preprocess import Preprocess, Region

SIZE = (211, 157)
KINDS: list[tuple[str, str, dict[str, Any]]] = [
    ("RGB", "PNG", {}),
    ("RGBA", "PNG", {}),
    ("L", "PNG", {}),
    ("LA", "PNG", {}),
    ("1", "PNG", {}),
    ("P", "PNG", {}),
    ("P", "PNG", {"transparency": 3}),
    ("P", "GIF", {}),
    ("RGB", "PNG", {"transparency": (10, 20, 30)}),
    ("CMYK", "TIFF", {}),
    ("RGB", "WEBP", {"lossless": True}),
    ("RGB", "PNG", {"exif": True}),
    ("I;16", "PNG", {}),
]  # fmt: skip


def encoded(mode: str, kind: str, options: dict[str, Any]) -> bytes:
    picture = photo(3, SIZE)
    if mode in ("RGBA", "LA"):
        picture.putalpha(photo(4, SIZE).convert("L"))
    if "exif" in options:
        exif = Image.Exif()
        exif[0x0112] = 6
        options = {"exif": exif}
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 200)
    buffer = io.BytesIO()
    picture.convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(("mode", "kind", "options"), KINDS, ids=str)
def test_strips_change_no_bit(monkeypatch: pytest.MonkeyPatch, mode: str, kind: str, options: dict[str, Any]):
    content = encoded(mode, kind, options)

    def every() -> list[np.ndarray[Any, Any]]:
        picture = EncodedPicture(content)
        height, width = picture.height, picture.width
        regions = [
            Preprocess().region(height, width), Preprocess(resize="pad").region(height, width),
            Region(10.4, 3.5, 140.5, 99.9), Region(60, 60, 61, 62), Region(-30.5, -10, width + 7.5, height + 40),
        ]  # fmt: skip
        ways = [Way((32, 48), "bicubic", (1, 2, 3)), Way((300, 20), "bilinear"), Way((height, width), "bicubic")]
        return [picture.crop(region, way) for region in regions for way in ways] + [EncodedPicture(content).glance()[0]]

    whole = every()
    monkeypatch.setattr(strips, "LARGE", 0)
    monkeypatch.setattr(strips, "STRIP", 8000)
    assert strips.has_strips(Image.open(io.BytesIO(content))) is (mode != "I;16")
    for one, other in zip(whole, every(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("mode", ["1"])
def test_a_picture_of_64_million_pixels_in_10_kilobytes_takes_little_more_than_its_pixels(mode: str):
    buffer = io.BytesIO()
    Image.new(mode, (8000, 8000)).save(buffer, "PNG")
    assert len(buffer.getvalue()) < 70_000
    small = EncodedPicture(encoded("RGB", "PNG", {}))
    way = Way.of(Preprocess())
    small.crop(Preprocess().region(small.height, small.width), way)
    with bounded(160):
        picture = EncodedPicture(buffer.getvalue())
        pixels = picture.crop(Preprocess().region(picture.height, picture.width), way)
    assert pixels.shape == (3, 224, 224)
    with bounded(160):
        EncodedPicture(buffer.getvalue()).glance()
