"""Augmentation is random only by the generator that it is given, and within its bounds."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from vitcli.data.augment.augment import Augment, Chance
from vitcli.errors import ConfigError
from vitcli.images.decode.picture import Pixels
from vitcli.images.decode.pixels import Way
from vitcli.preprocess import Preprocess, Region, Resize

SQUARE = Preprocess(size=(8, 8))


def test_the_same_generator_draws_the_same_and_the_next_one_another() -> None:
    augment = Augment(colour=0.4, erase=0.5)

    def drawn(seed: int) -> tuple[Region, Chance]:
        rng = random.Random(seed)
        return augment.region(40, 60, SQUARE, rng), augment.chance(rng)

    random.seed(1)
    first = drawn(5)
    random.seed(2)
    assert drawn(5) == first != drawn(6)


def test_nothing_is_left_to_chance_where_everything_is_fixed() -> None:
    augment = Augment(crop_scale=(1, 1), crop_ratio=(1.5, 1.5), flip=0)
    assert augment.region(40, 60, SQUARE, random.Random(0)) == pytest.approx(Region(0, 0, 60, 40))
    assert augment.chance(random.Random(0)) == Chance((False, False), (1, 1, 1), (0, 0, 0, 0))
    assert Augment(flip=1, flip_vertical=1).chance(random.Random(0)).mirror == (True, True)


def test_crops_stay_inside_and_within_the_bounds_of_area_and_shape() -> None:
    augment = Augment(crop_scale=(0.3, 0.5), crop_ratio=(0.8, 1.25))
    rng = random.Random(0)
    for _ in range(200):
        left, top, right, bottom = augment.region(200, 300, SQUARE, rng)
        assert 0 <= left < right <= 300
        assert 0 <= top < bottom <= 200
        assert 0.299 <= (right - left) * (bottom - top) / 60_000 <= 0.501
        assert 0.799 <= (right - left) / (bottom - top) <= 1.251


@pytest.mark.parametrize("resize", ["center_crop", "pad", "squash"])
@pytest.mark.parametrize(("size", "seen"), [((8, 8), 1.0), ((8, 16), 2.0), ((12, 8), 2 / 3)])
def test_crops_have_on_average_the_shape_of_the_net(resize: Resize, size: tuple[int, int], seen: float) -> None:
    preprocess = Preprocess(size=size, resize=resize)
    augment, rng = Augment(crop_scale=(0.1, 0.3), crop_ratio=(0.8, 1.25)), random.Random(0)
    drawn = [augment.region(200, 300, preprocess, rng) for _ in range(400)]
    shapes = [math.log((right - left) / (bottom - top) / seen) for left, top, right, bottom in drawn]
    assert abs(sum(shapes) / len(shapes)) < 0.02
    assert math.log(0.799) < min(shapes) < -0.2
    assert 0.2 < max(shapes) < math.log(1.251)


def test_padded_pictures_are_cropped_with_what_lies_beside_them() -> None:
    padded = Preprocess(size=(8, 8), resize="pad")
    augment = Augment(crop_scale=(1, 1), crop_ratio=(1, 1))
    assert augment.region(200, 300, padded, random.Random(0)) == pytest.approx(Region(0, -50, 300, 250))


def test_what_is_erased_is_of_the_share_that_the_paper_gives() -> None:
    rng = random.Random(0)
    edges = [Augment(erase=1).chance(rng).erased for _ in range(300)]
    areas = [(bottom - top) * (right - left) for top, left, bottom, right in edges]
    assert all(0 <= top < bottom <= 1 and 0 <= left < right <= 1 for top, left, bottom, right in edges)
    assert min(areas) > 0.015
    assert max(areas) < 0.34


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1)])
def test_extreme_shapes_are_cropped(size: tuple[int, int]) -> None:
    picture = Pixels(np.zeros((*size, 3), dtype=np.uint8))
    region = Augment().region(*size, SQUARE, random.Random(0))
    assert picture.crop(region, Way((16, 16), "bilinear")).shape == (3, 16, 16)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"flip": 2.0}, r"^data.augment.flip 2.0: not a probability; give a number from 0 to 1$"),
        ({"flip_vertical": -1.0}, r"^data.augment.flip_vertical -1.0: not a probability"),
        ({"erase": 1.5}, r"^data.augment.erase 1.5: not a probability"),
        ({"policy": "auto"}, r"^data.augment.policy 'auto': unknown; choose one of none, trivial, rand$"),
        ({"magnitude": 31}, r"^data.augment.magnitude 31: outside 0 to 30"),
        ({"mixup": -0.1}, r"^data.augment.mixup -0.1: negative or not finite"),
        ({"cutmix": float("inf")}, r"^data.augment.cutmix inf: negative or not finite"),
        ({"repeats": 0}, r"^data.augment.repeats 0: below 1"),
        ({"colour": -1.0}, r"^data.augment.colour -1.0: outside \[0, 1\]; "),
        ({"crop_scale": (0.0, 1.0)}, r"^data.augment.crop_scale \(0.0, 1.0\): not 0 < smallest <= largest <= 1; "),
        ({"crop_scale": (0.9, 0.5)}, r"^data.augment.crop_scale "),
        ({"crop_ratio": (2.0, 1.0)}, r"^data.augment.crop_ratio \(2.0, 1.0\): not 0 < smallest <= largest; "),
    ],
)
def test_a_value_out_of_range_is_named(setting: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Augment(**setting)  # type: ignore[arg-type]
