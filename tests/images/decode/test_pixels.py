"""A region becomes the pixels that Pillow would make of it, and what lies beyond the picture is filled."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.conftest import photo
from vitcli.images.decode.picture import Pixels
from vitcli.images.decode.pixels import Way, resample
from vitcli.preprocess import Interpolation, Preprocess, Region

PICTURE = np.array(photo(0, (90, 60)))
GREEN = (10, 200, 30)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("region", [(0, 0, 90, 60), (7, 3, 71, 51), (30, 20, 40, 28)])
@pytest.mark.parametrize("size", [(24, 24), (17, 40), (100, 120)])
def test_resampling_is_pillows_to_one_grey_level_or_two_where_bicubic_enlarges(
    interpolation: Interpolation, region: tuple[int, int, int, int], size: tuple[int, int]
) -> None:
    method = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}[interpolation]
    expected = np.asarray(Image.fromarray(PICTURE).crop(region).resize(size[::-1], method), dtype=np.int16)
    result = resample(PICTURE, Region(*region), Way(size, interpolation)).astype(np.int16)
    assert result.shape == (3, *size)
    enlarged = size[0] > region[3] - region[1] or size[1] > region[2] - region[0]
    tolerance = 2 if enlarged and interpolation == "bicubic" else 1
    assert np.abs(result - expected.transpose(2, 0, 1)).max() <= tolerance


@pytest.mark.parametrize("region", [(0, 0, 90, 60), (7, 3, 71, 51), (-10, -10, 100, 70)])
def test_the_colours_of_a_pixel_stay_side_by_side(region: tuple[int, int, int, int]) -> None:
    result = resample(PICTURE, Region(*region), Way((24, 30), "bilinear"))
    assert result.transpose(1, 2, 0).flags.c_contiguous


def test_the_whole_picture_in_its_own_size_is_itself() -> None:
    assert np.array_equal(resample(PICTURE, Region(0, 0, 90, 60), Way((60, 90), "bicubic")).transpose(1, 2, 0), PICTURE)


def test_what_lies_beyond_the_picture_is_filled() -> None:
    square = resample(PICTURE, Region(0, -15, 90, 75), Way((30, 30), "bilinear", GREEN))
    assert (square[:, :5].reshape(3, -1) == np.array(GREEN)[:, None]).all()
    assert (square[:, 25:].reshape(3, -1) == np.array(GREEN)[:, None]).all()
    expected = resample(PICTURE, Region(0, 0, 90, 60), Way((20, 30), "bilinear"))
    assert np.array_equal(square[:, 5:25], expected)


def test_a_smaller_copy_is_cropped_where_the_picture_would_have_been() -> None:
    copy = Pixels(np.array(Image.fromarray(PICTURE).resize((45, 30), Image.Resampling.BOX)), size=(60, 90))
    assert (copy.height, copy.width) == (60, 90)
    way = Way((10, 10), "bilinear")
    crop = copy.crop(Region(20, 10, 60, 50), way).astype(np.int16)
    whole = Pixels(PICTURE).crop(Region(20, 10, 60, 50), way).astype(np.int16)
    assert np.abs(crop - whole).mean() < 3


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1)])
@pytest.mark.parametrize("resize", ["squash", "center_crop", "pad"])
def test_every_shape_enters_the_net(size: tuple[int, int], resize: str) -> None:
    preprocess = Preprocess(size=(16, 24), resize=resize)  # type: ignore[arg-type]
    way = Way(preprocess.size, preprocess.interpolation, preprocess.fill)
    picture = np.full((*size, 3), 77, dtype=np.uint8)
    assert Pixels(picture).crop(preprocess.region(*size), way).shape == (3, 16, 24)


def test_each_way_of_resizing_takes_the_region_that_it_says() -> None:
    sizes = {"size": (100, 100), "crop_fraction": 0.5}
    assert Preprocess(resize="center_crop", **sizes).region(200, 400) == Region(150, 50, 250, 150)  # type: ignore[arg-type]
    assert Preprocess(resize="squash", **sizes).region(200, 400) == Region(0, 0, 400, 200)  # type: ignore[arg-type]
    assert Preprocess(resize="pad", **sizes).region(200, 400) == Region(0, -100, 400, 300)  # type: ignore[arg-type]
    assert Preprocess(resize="pad", size=(100, 200)).region(200, 400) == Region(0, 0, 400, 200)


def test_padding_has_the_mean_colour_and_so_is_nothing_to_the_net() -> None:
    import torch

    preprocess = Preprocess(size=(8, 8), resize="pad")
    filled = torch.tensor(preprocess.fill, dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    assert preprocess.normalise(filled).abs().max() < 0.01
