"""Grey of more than 8 bits: scaled by what its file says of white, or by its own values, and never black unseen."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from vitcli.data.batches.order import BatchKey, Spot
from vitcli.data.batches.samples import Samples
from vitcli.data.layouts.unlabelled import UnlabelledData
from vitcli.errors import ConfigError
from vitcli.images.cache.copies import Ready, Shrunk
from vitcli.images.decode.encoded import EncodedPicture
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.decode.pixels import Way
from vitcli.images.index.facts import SOUND, inspect
from vitcli.preprocess import Preprocess, Region

RAMP = np.linspace(0, 1, 12 * 10).reshape(12, 10)
SHOWN = np.rint(255 * RAMP).astype(np.uint8)
EXIF_ORIENTATION = 0x0112


def encoded(values: NDArray[np.generic], kind: str = "TIFF", **tags: float) -> bytes:
    buffer = io.BytesIO()
    options = {}
    if tags:
        options["tiffinfo"] = TiffImagePlugin.ImageFileDirectory_v2()
        for name, value in tags.items():
            number = {"largest": 281, "black": 340, "white": 341}[name]
            options["tiffinfo"].tagtype[number] = 12 if number > 281 else 4
            options["tiffinfo"][number] = (value,)
    Image.fromarray(values).save(buffer, kind, **options)
    return buffer.getvalue()


def grey(content: bytes, white: int | None = None) -> NDArray[np.uint8]:
    pixels = np.asarray(EncodedPicture(content).image(white))
    assert (pixels == pixels[:, :, :1]).all()
    return pixels[:, :, 0]


def tiff(bits: int, sample_format: int, pixels: bytes, size: tuple[int, int], order: str = "<") -> bytes:
    """An uncompressed TIFF of any depth, by hand."""
    entries = [(256, size[0]), (257, size[1]), (258, bits), (259, 1), (262, 1), (273, 0), (277, 1), (278, size[1])]
    entries += [(279, len(pixels)), (339, sample_format)]
    start = 8 + 2 + 12 * len(entries) + 4
    fields = b"".join(
        struct.pack(f"{order}HHII", tag, 4, 1, start if tag == 273 else value)
        if tag in (273, 279)
        else struct.pack(f"{order}HHIHH", tag, 3, 1, value, 0)
        for tag, value in entries
    )
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    return head + struct.pack(f"{order}H", len(entries)) + fields + struct.pack(f"{order}I", 0) + pixels


def with_significant_bits(png: bytes, bits: int) -> bytes:
    chunk = b"sBIT" + bytes([bits])
    end_of_header = 8 + 12 + 13
    added = struct.pack(">I", 1) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return png[:end_of_header] + added + png[end_of_header:]


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["uint16 PNG", "uint16 TIFF", "int32 TIFF"])
def test_values_of_any_depth_are_shown_from_black_to_white(bits: int, kind: str) -> None:
    number, format_name = kind.split()
    values = np.rint((2**bits - 1) * RAMP).astype(number)
    assert np.abs(grey(encoded(values, format_name)).astype(int) - SHOWN).max() <= 1


@pytest.mark.parametrize("bits", [17, 20, 24, 31])
def test_values_of_more_than_16_bits_are_shown(bits: int) -> None:
    values = np.rint((2.0**bits - 1) * RAMP).astype(np.int32)
    assert grey(encoded(values)).max() >= 127
    assert inspect(encoded(values)).verdict == SOUND


def test_8_bits_in_32_are_the_same_picture_as_8_bits() -> None:
    values = np.random.default_rng(0).integers(0, 256, (9, 7))
    values[0, 0] = 255
    assert (grey(encoded(values.astype(np.int32))) == grey(encoded(values.astype(np.uint8)))).all()


@pytest.mark.parametrize("largest", [1, 7, 200, 256, 1000, 1024, 4000, 5000, 16000, 17000, 65535])
@pytest.mark.parametrize("kind", ["uint16 PNG", "uint16 TIFF", "int32 TIFF"])
def test_the_brightest_pixel_has_a_quarter_of_white_unless_there_are_no_8_bits(largest: int, kind: str) -> None:
    number, format_name = kind.split()
    shown = grey(encoded(np.array([[0, largest]], dtype=number), format_name))
    assert shown[0, 0] == 0
    assert shown[0, 1] >= (63 if largest > 255 else largest)


def test_a_dark_picture_of_8_bits_scaled_to_16_stays_dark() -> None:
    levels = np.arange(40, dtype=np.uint16).reshape(5, 8)
    for kind in ("PNG", "TIFF"):
        assert (grey(encoded(levels * 257, kind)) == levels).all()


def test_a_dark_true_16_bit_picture_stays_dark_where_white_is_stated_or_set() -> None:
    levels = np.arange(3000, 3040, dtype=np.uint16).reshape(5, 8)
    expected = np.rint(levels / 257)
    assert (grey(encoded(levels, "TIFF", white=65535)) == expected).all()
    assert (grey(encoded(levels, "PNG"), 65535) == expected).all()
    assert (
        grey(with_significant_bits(encoded(levels // 16 * 16, "PNG"), 12)) == np.rint(levels // 16 * 16 / 257)
    ).all()


def test_stated_white_and_black_of_a_tiff_are_taken() -> None:
    values = np.array([[0, 500, 1000]], dtype=np.uint16)
    assert grey(encoded(values, white=2000)).tolist() == [[0, 64, 128]]
    assert grey(encoded(values + 1000, black=1000, white=2000)).tolist() == [[0, 128, 255]]


def test_a_stated_white_that_the_picture_exceeds_does_not_count() -> None:
    values = np.array([[0, 128, 255]], dtype=np.int32)
    assert grey(encoded(values, white=1)).tolist() == [[0, 128, 255]]
    assert grey(encoded(values, black=200, white=255)).tolist() == [[0, 128, 255]]


def test_a_largest_value_of_a_tiff_counts_unless_it_is_the_default() -> None:
    values = np.array([[0, 500, 1000]], dtype=np.uint16)
    assert grey(encoded(values, largest=4000)).tolist() == [[0, 31, 62]]
    assert grey(encoded(values, largest=65535)).tolist() == grey(encoded(values)).tolist() == [[0, 125, 249]]


def test_twelve_bits_that_fill_a_tiff_have_4095_as_white() -> None:
    # two values in three bytes: 0x800 and 0xfff, then 0x100 and 0
    packed = bytes([0x80, 0x0F, 0xFF, 0x10, 0x00, 0x00])
    assert grey(tiff(12, 1, packed, (2, 2))).tolist() == [[128, 255], [16, 0]]
    assert grey(tiff(12, 1, bytes([0x10, 0x00, 0x00]), (2, 1))).tolist() == [[16, 0]]


@pytest.mark.parametrize("order", ["<", ">"])
def test_unsigned_values_of_32_bits_have_no_sign(order: str) -> None:
    pixels = np.array([0, 2**31, 2**32 - 1], dtype=f"{order}u4").tobytes()
    content = tiff(32, 1, pixels, (3, 1), order)
    try:
        shown = grey(content).tolist()
    except UnreadableImage:
        # Pillow has no such mode for big-endian files
        assert order == ">"
    else:
        assert shown == [[0, 128, 255]]


def test_significant_bits_of_a_png_are_believed_where_the_values_agree() -> None:
    values = np.array([[0, 501, 1001]], dtype=np.uint16)
    assert grey(with_significant_bits(encoded(values, "PNG"), 12)).tolist() == [[0, 31, 62]]
    # as the standard has it: scaled to 16 bits
    assert grey(with_significant_bits(encoded(values * 16, "PNG"), 12)).tolist() == [[0, 31, 62]]


@pytest.mark.parametrize("most", [300, 1023, 4095, 65535])
def test_the_maxval_of_a_pgm_is_its_white(most: int) -> None:
    values = np.array([0, most // 3, most], dtype=">u2").tobytes()
    assert grey(b"P5 3 1 %d\n" % most + values).tolist() == [[0, 85, 255]]
    assert grey(b"P5 3 1 %d\n" % most + values, white=255).tolist() == [[0, 85, 255]]
    dark = np.array([0, 1, most // 16], dtype=">u2").tobytes()
    assert grey(b"P5 3 1 %d\n" % most + dark).max() <= 16


def test_negative_values_are_shown_where_black_is_stated_and_refused_elsewhere() -> None:
    values = np.array([[-1000, 0, 1000]], dtype=np.int32)
    assert grey(encoded(values, black=-1000, white=1000)).tolist() == [[0, 128, 255]]
    for content in (encoded(values), tiff(16, 2, values.astype("<i2").tobytes(), (3, 1))):
        with pytest.raises(UnreadableImage, match=r"^negative values of grey, .*\(SMinSampleValue\); save it"):
            grey(content)
        assert inspect(content).reason.startswith("negative values")


@pytest.mark.parametrize("junk", [float("nan"), float("inf"), -5.0, 0.0])
def test_senseless_statements_do_not_count(junk: float) -> None:
    values = np.array([[0, 128, 255]], dtype=np.int32)
    assert grey(encoded(values, white=junk)).tolist() == [[0, 128, 255]]


def test_a_turned_picture_keeps_what_its_file_says() -> None:
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    buffer = io.BytesIO()
    Image.fromarray(np.array([[0, 500, 1000]], dtype=np.uint16)).save(buffer, "PNG", exif=exif)
    picture = EncodedPicture(with_significant_bits(buffer.getvalue(), 10))
    assert (picture.height, picture.width) == (3, 1)
    assert np.asarray(picture.image())[:, 0, 0].tolist() == [0, 125, 249]


def test_white_that_is_set_counts_above_all_and_what_is_brighter_is_white() -> None:
    values = np.array([[0, 500, 1000, 5000]], dtype=np.uint16)
    for content in (encoded(values), encoded(values, "PNG"), encoded(values.astype(np.int32), white=60000)):
        assert grey(content, 1000).tolist() == [[0, 128, 255, 255]]


def test_white_changes_no_picture_of_8_bits() -> None:
    values = np.random.default_rng(1).integers(0, 200, (40, 50), dtype=np.uint8)
    for kind in ("PNG", "TIFF", "JPEG", "PPM"):
        content = encoded(values, kind)
        plain, white = (
            EncodedPicture(content).crop(Region(0, 0, 50, 40), Way((40, 50), "bilinear", white=w)) for w in (None, 9)
        )
        assert (plain == white).all()


def test_white_of_preprocess_reaches_each_way_to_the_net(tmp_path: Path) -> None:
    values = np.full((8, 8), 1000, dtype=np.uint16)
    (tmp_path / "a.png").write_bytes(encoded(values, "PNG"))
    for white, shown in ((None, 249), (4095, 62), (65535, 4)):
        preprocess = Preprocess(size=(8, 8), white=white)
        listing = UnlabelledData(root=str(tmp_path), preprocess=preprocess).listing("predict")
        batch = Samples(listing, preprocess, None, seed=0)[BatchKey(0, 0, [Spot(0)])]
        assert batch["image"].unique().tolist() == [shown]
        for copy in (Ready(preprocess), Shrunk(8, white)):
            assert np.unique(copy.take(listing.open(0))).tolist() == [shown]


@pytest.mark.parametrize("white", [0, -1, 2**32])
def test_a_white_that_cannot_be_is_refused(white: int) -> None:
    with pytest.raises(ConfigError, match=rf"^model\.preprocess\.white {white}: outside 1 to 4294967295; 4095"):
        Preprocess(white=white)
