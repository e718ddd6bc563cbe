"""Every image file becomes one upright RGB picture, or a reason."""

from __future__ import annotations

import csv
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFile, WebPImagePlugin

from vitcli.images.decode.colours import to_rgb
from vitcli.images.decode.encoded import MAX_PIXELS, UPRIGHT, EncodedPicture, open_image
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.decode.pixels import Way
from vitcli.images.index.facts import UNREADABLE, inspect
from vitcli.preprocess import Region

TURN_BACK = {5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}


def picture(width: int = 24, height: int = 16) -> Image.Image:
    """A picture without symmetry."""
    image = Image.new("RGB", (width, height), (200, 30, 60))
    ImageDraw.Draw(image).rectangle((0, 0, width // 3, height // 2), fill=(10, 220, 90))
    return image


def difference(first: Image.Image, second: Image.Image) -> float:
    assert (first.mode, first.size) == (second.mode, second.size) == ("RGB", second.size)
    return float(np.abs(np.asarray(first, dtype=np.int32) - np.asarray(second, dtype=np.int32)).mean())


def reason(path: Path) -> str:
    with pytest.raises(UnreadableImage) as caught:
        open_image(path)
    assert str(path) not in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def png(width: int, height: int, data: bytes) -> bytes:
    """A grey 8-bit PNG with any header and any data."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_turned_upright(tmp_path: Path, orientation: int, ending: str) -> None:
    upright = picture(24, 16)
    stored = upright
    for method in (method for number, method in UPRIGHT.items() if number == orientation):
        inverse = {
            Image.Transpose.ROTATE_270: Image.Transpose.ROTATE_90,
            Image.Transpose.ROTATE_90: Image.Transpose.ROTATE_270,
        }
        stored = upright.transpose(inverse.get(method, method))
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 98, "subsampling": 0} if ending == "jpg" else {"lossless": True} if ending == "webp" else {}
    stored.save(tmp_path / f"a.{ending}", exif=exif, **options)
    assert difference(open_image(tmp_path / f"a.{ending}"), upright) < (4 if ending == "jpg" else 0.001)


def test_orientation_6_is_a_quarter_turn_clockwise(tmp_path: Path) -> None:
    stored = Image.new("RGB", (3, 2), "black")
    stored.putpixel((0, 0), (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = 6
    stored.save(tmp_path / "a.png", exif=exif)
    image = open_image(tmp_path / "a.png")
    assert image.size == (2, 3)
    assert image.getpixel((1, 0)) == (255, 255, 255)


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b""])
def test_broken_exif_is_never_fatal(tmp_path: Path, exif: bytes) -> None:
    picture().save(tmp_path / "a.jpg", exif=exif)
    assert open_image(tmp_path / "a.jpg").size == (24, 16)


@pytest.mark.parametrize("ending", ["png", "tif", "pgm"])
def test_16_bit_grey_is_scaled_not_clipped(tmp_path: Path, ending: str) -> None:
    levels = np.arange(256, dtype=np.uint16).reshape(16, 16)
    Image.fromarray(levels * 257).save(tmp_path / f"a.{ending}")
    image = open_image(tmp_path / f"a.{ending}")
    assert (np.asarray(image)[:, :, 1] == levels).all()


def test_16_bit_grey_with_a_transparent_level_shows_it_white(tmp_path: Path) -> None:
    levels = np.array([[0, 1000], [30000, 65535]], dtype=np.uint16)
    Image.fromarray(levels).save(tmp_path / "a.png", transparency=1000)
    image = open_image(tmp_path / "a.png")
    assert np.asarray(image)[:, :, 0].tolist() == [[0, 255], [117, 255]]


def test_floating_point_pixels_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.ones((3, 3), dtype=np.float32)).save(tmp_path / "a.tif")
    assert "floating-point" in reason(tmp_path / "a.tif")


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pixels_are_shown_on_white(tmp_path: Path, mode: str) -> None:
    image = Image.new(mode, (2, 1), "black")
    image.putpixel((0, 0), (7,) * (len(mode) - 1) + (0,))
    image.save(tmp_path / "a.png")
    opened = open_image(tmp_path / "a.png")
    assert [opened.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (0, 0, 0)]


def test_a_transparent_palette_colour_is_shown_on_white(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png", transparency=0)
    opened = open_image(tmp_path / "a.png")
    assert [opened.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (40, 50, 60)]


@pytest.mark.parametrize(
    ("mode", "ending", "tolerance"),
    [("CMYK", "jpg", 12), ("CMYK", "tif", 1), ("P", "gif", 1), ("P", "bmp", 1), ("RGB", "jp2", 12)],
)
def test_other_modes_and_formats_keep_their_colours(tmp_path: Path, mode: str, ending: str, tolerance: float) -> None:
    stored = picture().quantize(8) if mode == "P" else picture().convert(mode)
    stored.save(tmp_path / f"a.{ending}")
    assert difference(open_image(tmp_path / f"a.{ending}"), picture()) <= tolerance


@pytest.mark.parametrize("mode", ["1", "L"])
def test_grey_and_black_and_white_become_three_equal_channels(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (3, 3), 255 if mode == "1" else 99).save(tmp_path / "a.png")
    assert open_image(tmp_path / "a.png").getpixel((1, 1)) == ((255,) * 3 if mode == "1" else (99,) * 3)


def test_an_animation_shows_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (5, 5), colour) for colour in ("red", "blue")]
    for name in ("a.gif", "a.webp", "a.tif", "a.png"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], lossless=True)
        assert open_image(tmp_path / name).getpixel((2, 2)) == (255, 0, 0)


@pytest.mark.parametrize("size", [(1, 1), (1, 20000), (20000, 1)])
def test_extreme_sizes_are_opened(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("RGB", size).save(tmp_path / "a.png")
    assert open_image(tmp_path / "a.png").size == size


def test_the_content_counts_and_not_the_ending(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.png")
    os.rename(tmp_path / "a.png", tmp_path / "a.jpg")
    assert difference(open_image(tmp_path / "a.jpg"), picture()) == 0


def test_a_name_that_is_not_utf_8_is_opened(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.png")
    os.rename(tmp_path / "a.png", os.fsencode(tmp_path) + b"/\xff.png")
    assert open_image(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")).size == (24, 16)


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "bmp", "webp", "gif"])
def test_a_cut_off_file_is_a_reason_and_no_half_picture(tmp_path: Path, ending: str) -> None:
    noise = np.random.Generator(np.random.PCG64(0)).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / f"a.{ending}")
    whole = (tmp_path / f"a.{ending}").read_bytes()
    (tmp_path / f"a.{ending}").write_bytes(whole[: len(whole) // 2])
    assert reason(tmp_path / f"a.{ending}")


def test_a_cut_off_photo_is_called_truncated_even_if_a_library_allows_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture(200, 200).save(tmp_path / "a.jpg")
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) * 3 // 4])
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    assert reason(tmp_path / "a.jpg") == "truncated"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty file"),
        (b"<html>404</html>", "not an image (cannot identify)"),
        (b"%PDF-1.7\n", "not an image (cannot identify)"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image (cannot identify)"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", None),
        (b"\x89PNG\r\n\x1a\n", None),
        (png(4, 4, b""), None),
        (png(4, 4, b"\x00" * 7), None),
    ],
)
def test_what_is_no_image_has_a_reason(tmp_path: Path, content: bytes, expected: str | None) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    given = reason(tmp_path / "a.jpg")
    assert expected is None or given == expected


def test_what_this_pillow_is_built_without_is_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture().save(tmp_path / "a.webp")
    monkeypatch.setattr(WebPImagePlugin, "SUPPORTED", False)
    assert reason(tmp_path / "a.webp") == "not readable by this Pillow (WEBP support not installed)"


@pytest.mark.parametrize(("width", "height"), [(10_001, 10_000), (65_535, 65_535), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_from_its_header(tmp_path: Path, width: int, height: int) -> None:
    assert width * height > MAX_PIXELS
    (tmp_path / "a.png").write_bytes(png(width, height, b"\x00"))
    assert reason(tmp_path / "a.png").startswith("too large")


def test_a_large_picture_below_the_limit_raises_no_warning(tmp_path: Path) -> None:
    Image.new("1", (9_800, 9_800)).save(tmp_path / "a.png")
    assert open_image(tmp_path / "a.png").size == (9_800, 9_800)


def test_missing_files_folders_and_pipes_have_a_reason(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert reason(tmp_path / "gone.jpg") == "no such file"
    assert reason(tmp_path) == "not a regular file"
    assert reason(tmp_path / "pipe.jpg") == "not a regular file"


@pytest.mark.shared_data
def test_odd_images_are_decoded_or_refused_as_the_manifest_says(shared_data: Path) -> None:
    wrong = []
    with open(shared_data / "odd_images_manifest.csv", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            try:
                size: tuple[int, int] | None = open_image(shared_data / "odd_images" / row["file"]).size
            except UnreadableImage as error:
                size = None
                if row["accept"] == "decode":
                    wrong.append((row["file"], str(error)))
            if row["accept"] == "skip" and size is not None:
                wrong.append((row["file"], "was opened"))
            if (
                row["accept"] == "decode"
                and size is not None
                and size != (int(row["display_w"]), int(row["display_h"]))
            ):
                wrong.append((row["file"], f"has size {size}"))
    assert wrong == []


@pytest.mark.shared_data
def test_the_same_picture_in_many_encodings_is_the_same(shared_data: Path) -> None:
    compared = 0
    for file in sorted((shared_data / "odd_images" / "equivalents").iterdir()):
        name, _, variant = file.name.partition("__")
        if variant in ("ref.png", "gray.png"):
            continue
        reference = open_image(file.with_name(f"{name}__{'gray' if 'gray' in variant else 'ref'}.png"))
        assert difference(open_image(file), reference) <= (3 if variant.endswith(".jpg") else 0), file.name
        compared += 1
    assert compared >= 18


@pytest.mark.shared_data
def test_odd_images_have_their_verdict_size_and_colours_by_every_way_in(shared_data: Path) -> None:
    wrong, compared = [], 0
    with open(shared_data / "odd_images_manifest.csv", encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        content = (shared_data / "odd_images" / row["file"]).read_bytes()
        facts = inspect(content)
        if row["accept"] == "skip" and facts.verdict != UNREADABLE:
            wrong.append((row["file"], "was found sound"))
        if row["accept"] != "decode":
            continue
        if facts.verdict == UNREADABLE or (facts.width, facts.height) != (
            int(row["display_w"]),
            int(row["display_h"]),
        ):
            wrong.append((row["file"], str(facts)))
            continue
        picture = EncodedPicture(content)
        region = Region(0, 0, picture.width, picture.height)
        crop = picture.crop(region, Way((24, 32), "bilinear")).transpose(1, 2, 0).astype(np.int16)
        whole = np.asarray(picture.image().resize((32, 24), Image.Resampling.BILINEAR), dtype=np.int16)
        # decoded at a smaller scale first; of 3.4 grey levels where one of them is a halftone, below 3 elsewhere
        if np.abs(crop - whole).mean() > 4:
            wrong.append((row["file"], f"differs by {np.abs(crop - whole).mean()}"))
        compared += 1
    assert wrong == []
    assert compared > 100


def test_pictures_that_are_multiplied_by_their_opacity_are_shown_on_white() -> None:
    grey = Image.new("LA", (4, 3), (100, 128))
    expected = np.array(to_rgb(grey))
    assert np.abs(np.array(to_rgb(grey.convert("La"))).astype(int) - expected).max() <= 1
