"""A JPEG is decoded as Pillow decodes it, only as large as needed, and never half."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import photo
from vitcli.images.decode import jpeg
from vitcli.images.decode.encoded import EncodedPicture, open_image, strict
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.decode.pixels import Way
from vitcli.images.index.facts import SOUND, SUSPICIOUS, UNREADABLE, inspect
from vitcli.preprocess import Region

WHOLE = {"quality": 90}


def encoded(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **(WHOLE | options))
    return buffer.getvalue()


def noisy(width: int = 320, height: int = 240) -> Image.Image:
    """A photo with detail in every block."""
    pixels = np.asarray(photo(3, (width, height)), dtype=np.int16)
    noise = np.random.default_rng(0).integers(-30, 30, pixels.shape)
    return Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 1}])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_at_full_scale_every_bit_is_pillows(mode: str, options: dict[str, object]) -> None:
    content = encoded(noisy(321, 243).convert(mode), **options)
    decoded = jpeg.decode(content, (321, 243), Region(0, 0, 321, 243), (224, 224))
    assert decoded is not None
    assert np.array_equal(decoded, np.asarray(Image.open(io.BytesIO(content)).convert("RGB")))


def test_a_large_jpeg_is_decoded_at_the_scale_that_leaves_two_or_three_times_what_is_wanted() -> None:
    content = encoded(noisy(1600, 1200))
    for side, height in [(301, 1200), (300, 600), (101, 600), (100, 300), (51, 300), (50, 150), (10, 150)]:
        decoded = jpeg.decode(content, (1600, 1200), Region(0, 0, 1600, 1200), (side, side))
        assert decoded is not None
        assert decoded.shape[0] == height, side
    crop = jpeg.decode(content, (1600, 1200), Region(0, 0, 400, 400), (150, 150))
    assert crop is not None
    assert crop.shape[0] == 1200


def test_the_smaller_decoding_looks_like_the_whole_one() -> None:
    content = encoded(photo(1, (1600, 1200)))
    picture = EncodedPicture(content)
    region, way = Region(200, 100, 1500, 1180), Way((120, 140), "bicubic")
    fast = picture.crop(region, way).astype(np.int16)
    whole = Image.open(io.BytesIO(content)).convert("RGB").resize((140, 120), Image.Resampling.BICUBIC, box=region)
    assert np.abs(fast - np.asarray(whole, dtype=np.int16).transpose(2, 0, 1)).mean() < 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_crop_of_a_turned_photo_is_the_crop_of_the_upright_one(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(noisy(), exif=exif)
    picture = EncodedPicture(content)
    upright = picture.image()
    assert (picture.width, picture.height) == upright.size
    region = Region(30, 20, 190, 150)
    expected = np.asarray(upright.crop((30, 20, 190, 150)).resize((64, 48), Image.Resampling.BILINEAR))
    crop = picture.crop(region, Way((48, 64), "bilinear"))
    assert np.abs(crop.astype(np.int16) - expected.transpose(2, 0, 1)).max() <= 1


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 4}])
@pytest.mark.parametrize("end", [b"", b"\xff\xd9"])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_half_a_jpeg_is_truncated_even_if_it_ends_properly(
    tmp_path: Path, options: dict[str, object], end: bytes, share: float
) -> None:
    content = encoded(noisy(), **options)
    half = content[: int(len(content) * share)] + end
    assert inspect(half)[:2] == (UNREADABLE, "truncated")
    with pytest.raises(UnreadableImage, match=r"^truncated$"):
        EncodedPicture(half).crop(Region(0, 0, 320, 240), Way((32, 32), "bilinear"))
    (tmp_path / "half.jpg").write_bytes(half)
    with pytest.raises(UnreadableImage, match=r"^truncated$"):
        open_image(tmp_path / "half.jpg")


def test_stray_bytes_before_a_marker_change_no_pixel_and_are_no_finding() -> None:
    content = encoded(noisy())
    with_stray = content[:-2] + b"\x00" * 40 + content[-2:]
    assert inspect(with_stray).verdict == SOUND
    assert np.array_equal(EncodedPicture(with_stray).image(), EncodedPicture(content).image())


def test_damaged_pixels_are_suspicious_but_opened() -> None:
    content = bytearray(encoded(noisy(), restart_marker_blocks=4))
    # one interval lost: the next marker is not the one that was expected
    first = content.index(b"\xff\xd2")
    last = content.index(b"\xff\xd4", first)
    facts = inspect(bytes(content[:first] + content[last:]))
    assert facts.verdict == SUSPICIOUS
    assert "Corrupt JPEG data" in facts.reason
    assert EncodedPicture(bytes(content[:first] + content[last:])).image().size == (320, 240)


def test_cmyk_goes_by_another_decoder_to_the_same_picture() -> None:
    content = encoded(noisy().convert("CMYK"))
    with strict():
        expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB").resize((32, 24), Image.Resampling.BICUBIC))
        crop = EncodedPicture(content).crop(Region(0, 0, 320, 240), Way((24, 32), "bicubic"))
    assert np.abs(crop.astype(np.int16) - expected.transpose(2, 0, 1)).max() <= 1


def test_what_a_file_looks_like_survives_encoding_size_and_brightness() -> None:
    original = noisy()
    variants = [
        encoded(original),
        encoded(original, quality=40),
        encoded(original.resize((200, 150))),
        encoded(original.point(lambda value: value * 0.8 + 20)),
    ]
    looks = [np.unpackbits(np.frombuffer(inspect(variant).looks, dtype=np.uint8)) for variant in variants]
    other = np.unpackbits(np.frombuffer(inspect(encoded(photo(9, (320, 240)))).looks, dtype=np.uint8))
    assert all((looks[0] != each).sum() <= 7 for each in looks)
    assert (looks[0] != other).sum() > 30
    assert len({inspect(variant).digest for variant in variants}) == 4
