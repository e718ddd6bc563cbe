"""A decoder that stops below a region gives it the same pixels."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from tests.images.decode.test_jpeg import encoded, noisy
from vitcli.images.decode import jpeg
from vitcli.images.decode.encoded import EncodedPicture
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.decode.pixels import Way
from vitcli.images.decode.shortened import shortened
from vitcli.preprocess import Region

SIZE = (333, 517)


@pytest.mark.parametrize(
    "content",
    [
        *(encoded(noisy(*SIZE), subsampling=kind) for kind in ("4:4:4", "4:2:2", "4:2:0")),
        *(simplejpeg.encode_jpeg(np.array(noisy(*SIZE)), colorsubsampling=kind) for kind in ("440", "411")),
        encoded(noisy(*SIZE).convert("L")),
        encoded(noisy(*SIZE), restart_marker_blocks=3),
        encoded(noisy(*SIZE), comment=b"\xff\xc0 in a segment"),
    ],
    ids=["4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1", "grey", "restarts", "comment"],
)
def test_all_rows_but_the_last_are_those_of_the_whole(content: bytes) -> None:
    whole = simplejpeg.decode_jpeg(content, "RGB")
    for rows in (1, 16, 17, 100, 250):
        short = shortened(content, SIZE, rows)
        assert short is not None
        assert rows < short.rows <= rows + 32
        upper = simplejpeg.decode_jpeg(short.content, "RGB", strict=False)
        assert len(upper) == short.rows
        assert np.array_equal(upper[: short.rows - 1], whole[: short.rows - 1])


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("side", [128, 40, 12, 4])
def test_a_crop_is_the_same_without_the_rows_below(
    subsampling: str, orientation: int, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # memory that is no picture, so that a row that was not decoded cannot look as if it had been
    monkeypatch.setattr(jpeg, "np", SimpleNamespace(uint8=np.uint8, empty=partial(np.full, fill_value=77)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = EncodedPicture(encoded(noisy(517, 517), subsampling=subsampling, exif=exif))
    for left, top, right, bottom in [
        (3, 5, 203, 305),
        (0, 0, 160, 120),
        (99, 333, 249, 503),
        (40, 201.5, 140.3, 282.2),
    ]:
        region = Region(left, top, right, bottom)
        way = Way((side, side), "bicubic")
        assert np.array_equal(picture.crop(region, way, to_the_end=False), picture.crop(region, way))


def test_what_lies_below_is_not_decoded() -> None:
    content = encoded(noisy(*SIZE))
    picture = EncodedPicture(content[: len(content) * 2 // 3] + b"\xff\xd9")
    region, way = Region(0, 0, 300, 200), Way((64, 64), "bilinear")
    upper = picture.crop(region, way, to_the_end=False)
    assert np.array_equal(upper, EncodedPicture(content).crop(region, way))
    with pytest.raises(UnreadableImage, match="truncated"):
        picture.crop(region, way)
    with pytest.raises(UnreadableImage, match="truncated"):
        picture.crop(Region(0, 0, 300, 400), way, to_the_end=False)


def test_stray_bytes_before_and_between_the_rows_change_no_pixel() -> None:
    content = encoded(noisy(*SIZE), restart_marker_blocks=4)
    start, marker = content.index(b"\xff\xdb"), content.index(b"\xff\xd1")
    region, way = Region(0, 0, 300, 200), Way((64, 64), "bilinear")
    for stray in (content[:start] + bytes(9) + content[start:], content[:marker] + bytes(9) + content[marker:]):
        picture = EncodedPicture(stray)
        assert np.array_equal(picture.crop(region, way, to_the_end=False), picture.crop(region, way))


@pytest.mark.parametrize("rows", [1, 100, 500])
def test_what_cannot_be_shortened_is_left_alone(rows: int) -> None:
    content = encoded(noisy(*SIZE))
    frame = content.index(b"\xff\xc0")
    assert shortened(encoded(noisy(*SIZE), progressive=True), SIZE, rows) is None
    assert shortened(content, (SIZE[0], SIZE[1] + 1), rows) is None
    assert shortened(content, SIZE, 501) is None
    for end in (0, 1, 3, frame, frame + 3, content.index(b"\xff\xda") + 2):
        assert shortened(content[:end], SIZE, rows) is None
    assert shortened(b"\xff\xd8" + content[frame : frame + 19] + content[2:], SIZE, rows) is None
    without_blocks = bytearray(content)
    without_blocks[frame + 11 : frame + 19 : 3] = bytes(3)
    assert shortened(bytes(without_blocks), SIZE, rows) is None
