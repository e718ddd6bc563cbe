"""Colours of 16 bits: exact to the last bit, scaled by their white, and never black unseen."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from vitcli.data.batches.order import BatchKey, Spot
from vitcli.data.batches.samples import Samples
from vitcli.data.layouts.unlabelled import UnlabelledData
from vitcli.images.cache.copies import Ready, Shrunk
from vitcli.images.decode.encoded import EncodedPicture
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.decode.pixels import Way
from vitcli.images.index.facts import SOUND, UNREADABLE, inspect
from vitcli.preprocess import Preprocess, Region

Values = NDArray[np.integer]
COLOUR_TYPE = {2: 4, 3: 2, 4: 6}
ORIENTATION = 0x0112
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(values: Values, *chunks: bytes, interlaced: bool = False) -> bytes:
    """A PNG of 16 bits: values (height, width, channels)."""
    height, width, channels = values.shape
    passes = [values[top::down, left::across] for left, top, across, down in ADAM7] if interlaced else [values]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for part in passes if part.size for row in part)
    head = struct.pack(">IIBBBBB", width, height, 16, COLOUR_TYPE[channels], 0, 0, interlaced)
    parts = [chunk(b"IHDR", head), *chunks, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(
    values: Values, extra: int | None = None, *, order: str = "<", deflate: bool = False, planes: bool = False,
    tags: tuple[tuple[int, int], ...] = (),
) -> bytes:  # fmt: skip
    """A TIFF of 16 bits: values (height, width, channels), of which a fourth is what ExtraSamples says."""
    height, width, channels = values.shape
    parts = [values[:, :, channel] for channel in range(channels)] if planes else [values]
    strips = [np.ascontiguousarray(part).astype(f"{order}u2").tobytes() for part in parts]
    strips = [zlib.compress(strip) for strip in strips] if deflate else strips
    start = 4096
    starts = np.cumsum([start, *map(len, strips)])[:-1].tolist()
    short = {256: [width], 257: [height], 258: [16] * channels, 259: [8 if deflate else 1], 262: [2], 277: [channels]}
    short |= {278: [height], 284: [2 if planes else 1], 339: [1] * channels}
    short |= {} if extra is None else {338: [extra]}
    long = {273: starts, 279: [len(strip) for strip in strips]}
    fields = {tag: ("H", held) for tag, held in short.items()} | {tag: ("I", held) for tag, held in long.items()}
    fields |= {tag: ("H", [value] * (1 if tag == ORIENTATION else channels)) for tag, value in tags}
    entries, beyond, place = b"", b"", 8 + 2 + 12 * len(fields) + 4
    for tag, (letter, held) in sorted(fields.items()):
        content = struct.pack(f"{order}{len(held)}{letter}", *held)
        if len(content) > 4:
            where, beyond = struct.pack(f"{order}I", place + len(beyond)), beyond + content
        else:
            where = content.ljust(4, b"\0")
        entries += struct.pack(f"{order}HHI", tag, {"H": 3, "I": 4}[letter], len(held)) + where
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    whole = head + struct.pack(f"{order}H", len(fields)) + entries + bytes(4) + beyond
    return whole.ljust(start, b"\0") + b"".join(strips)


def random(most: int, channels: int = 3, size: tuple[int, int] = (11, 13)) -> NDArray[np.uint16]:
    """Random values up to a largest one, which is there."""
    values = np.random.default_rng(0).integers(0, most + 1, (*size, channels)).astype(np.uint16)
    values[0, 0] = most
    return values


def shown(content: bytes, white: int | None = None) -> NDArray[np.int64]:
    return np.asarray(EncodedPicture(content).image(white)).astype(np.int64)


def scaled(values: Values, most: int) -> NDArray[np.int64]:
    return np.minimum((values.astype(np.int64) * 510 + most) // (2 * most), 255)


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
@pytest.mark.parametrize("interlaced", [False, True])
def test_colours_of_fewer_bits_in_a_png_of_16_are_exact(bits: int, interlaced: bool) -> None:
    values = random(2**bits - 1)
    assert (shown(png(values, interlaced=interlaced)) == scaled(values, 2**bits - 1)).all()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("extra", [None, 0, 1, 2])
def test_colours_of_fewer_bits_in_a_tiff_of_16_are_exact(order: str, deflate: bool, extra: int | None) -> None:
    values = random(4095, 3 if extra is None else 4)
    if extra is not None:
        values[:, :, 3] = 4095
    assert (shown(tiff(values, extra, order=order, deflate=deflate)) == scaled(values[:, :, :3], 4095)).all()


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("opaque", [4095, 65535])
def test_alpha_has_the_bits_that_its_opaque_pixels_show(interlaced: bool, opaque: int) -> None:
    for channels in (2, 4):
        values = random(4095, channels)
        values[:, :, -1] = opaque
        values[3, 4, -1] = 0
        expected = scaled(np.broadcast_to(values[:, :, :-1], (11, 13, 3)), 4095)
        expected[3, 4] = 255
        assert (shown(png(values, interlaced=interlaced)) == expected).all()


def test_a_picture_that_fills_16_bits_is_the_one_that_pillow_gives() -> None:
    for channels in (2, 3, 4):
        values = random(65535, channels)
        if channels != 3:
            values[:, :, -1] = 65535
        expected = np.broadcast_to(values[:, :, :-1] if channels != 3 else values, (11, 13, 3)) >> 8
        assert (shown(png(values)) == expected).all()
        if channels != 2:
            assert (shown(tiff(values)) == expected).all()


def test_a_dark_picture_of_8_bits_scaled_to_16_stays_dark() -> None:
    values = random(40)
    assert (shown(png(values * 257)) == values).all()
    assert (shown(tiff(values * 257)) == values).all()


def test_white_that_is_set_counts_above_all_and_what_is_brighter_is_white() -> None:
    for most in (1000, 50000):
        values = random(most)
        for white in (900, 4095, 65535):
            assert (shown(png(values), white) == scaled(values, white)).all()
            assert (shown(tiff(values), white) == scaled(values, white)).all()


def test_what_the_file_says_of_white_is_believed() -> None:
    values = random(1000)
    assert (shown(png(values, chunk(b"sBIT", bytes([12, 12, 12])))) == scaled(values, 4095)).all()
    # as the standard has it: scaled to 16 bits
    assert (shown(png(values * 16, chunk(b"sBIT", bytes([12, 12, 12])))) == scaled(values * 16, 65535)).all()
    assert (shown(tiff(values, tags=((341, 2000),))) == scaled(values, 2000)).all()
    assert (shown(tiff(values, tags=((341, 65535),))) == scaled(values, 65535)).all()
    # of grey and alpha, the second of two numbers is not of grey
    grey = np.stack([values[:, :, 0], np.full((11, 13), 65535, np.uint16)], axis=2)
    assert (shown(png(grey, chunk(b"sBIT", bytes([12, 15]))))[:, :, 0] == scaled(grey[:, :, 0], 4095)).all()


def test_the_transparent_colour_of_a_png_is_white_in_all_of_its_bits() -> None:
    values = random(4095)
    values[0, 1], values[0, 2] = (7, 300, 3000), (7, 300, 3001)
    found = shown(png(values, chunk(b"tRNS", struct.pack(">3H", 7, 300, 3000))))
    assert found[0, 1].tolist() == [255] * 3
    assert (found[0, 2] == scaled(values[0, 2], 4095)).all()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("most", [4095, 65535])
def test_separate_planes_are_read_too(order: str, most: int) -> None:
    values = random(most)
    found = shown(tiff(values, order=order, planes=True))
    assert np.abs(found - scaled(values, most)).max() <= 1


def test_where_the_low_bytes_cannot_be_read_a_picture_is_refused_rather_than_black() -> None:
    content = tiff(random(4095), deflate=True, planes=True)
    with pytest.raises(UnreadableImage, match=r"^16 bits a colour in compressed separate planes, .*; save it without"):
        shown(content)
    facts = inspect(content)
    assert (facts.verdict, facts.height) == (UNREADABLE, 11)
    bright = random(65535)
    assert (shown(tiff(bright, deflate=True, planes=True)) == bright >> 8).all()


def test_a_turned_picture_is_exact_too() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    values = random(4095)
    content = png(values, chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")))
    assert (shown(content) == np.rot90(scaled(values, 4095), -1)).all()
    assert (shown(tiff(values, tags=((ORIENTATION, 6),))) == np.rot90(scaled(values, 4095), -1)).all()


def test_a_cut_off_file_is_refused() -> None:
    values = random(4095, size=(60, 50))
    for content in (png(values), tiff(values)):
        with pytest.raises(UnreadableImage):
            shown(content[: len(content) // 2])


def test_white_of_preprocess_reaches_each_way_to_the_net(tmp_path: Path) -> None:
    values = np.full((8, 8, 3), 1000, dtype=np.uint16)
    (tmp_path / "a.png").write_bytes(png(values))
    for white, level in ((None, 249), (4095, 62), (65535, 4)):
        preprocess = Preprocess(size=(8, 8), white=white)
        listing = UnlabelledData(root=str(tmp_path), preprocess=preprocess).listing("predict")
        batch = Samples(listing, preprocess, None, seed=0)[BatchKey(0, 0, [Spot(0)])]
        assert batch["image"].unique().tolist() == [level]
        for copy in (Ready(preprocess), Shrunk(8, white)):
            assert np.unique(copy.take(listing.open(0))).tolist() == [level]
        assert inspect(png(values), white=white)[:1] + inspect(png(values), white=white)[-2:] == (SOUND, level, level)


def test_white_changes_no_picture_of_8_bits() -> None:
    values = np.random.default_rng(1).integers(0, 200, (40, 50, 3), dtype=np.uint8)
    for kind in ("PNG", "TIFF", "JPEG", "PPM"):
        buffer = io.BytesIO()
        Image.fromarray(values).save(buffer, kind)
        picture = EncodedPicture(buffer.getvalue())
        plain, white = (picture.crop(Region(0, 0, 50, 40), Way((40, 50), "bilinear", white=w)) for w in (None, 9))
        assert (plain == white).all()
