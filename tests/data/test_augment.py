"""Is augmentation random only by the generator that it is given, and within its bounds?"""

from __future__ import annotations

import random

import numpy as np
import pytest
from PIL import Image

from vitcli.data.augment import Augment
from vitcli.errors import ConfigError

RAMP = Image.fromarray(np.tile(np.arange(0, 240, 4, dtype=np.uint8)[None, :, None], (40, 1, 3)))


def test_the_same_generator_gives_the_same_picture_and_the_next_one_another() -> None:
    augment = Augment(colour=0.4)
    random.seed(1)
    first = augment(RAMP, (8, 12), "bicubic", random.Random(5))
    random.seed(2)
    again, other = (augment(RAMP, (8, 12), "bicubic", random.Random(seed)) for seed in (5, 6))
    assert first.size == (12, 8)
    assert first.tobytes() == again.tobytes() != other.tobytes()


def test_nothing_random_is_left_of_the_whole_picture_without_flip() -> None:
    augment = Augment(crop_scale=(1, 1), crop_ratio=(1.5, 1.5), flip=0)
    assert augment(RAMP, (40, 60), "bicubic", random.Random(0)).tobytes() == RAMP.tobytes()


def test_flip_1_always_mirrors() -> None:
    augment = Augment(crop_scale=(1, 1), crop_ratio=(1.5, 1.5), flip=1)
    mirrored = RAMP.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert augment(RAMP, (40, 60), "bicubic", random.Random(0)).tobytes() == mirrored.tobytes()


def test_crops_stay_inside_and_within_the_bounds_of_area_and_shape() -> None:
    augment = Augment(crop_scale=(0.3, 0.5), crop_ratio=(0.8, 1.25))
    rng = random.Random(0)
    for _ in range(200):
        left, top, right, bottom = augment._crop((300, 200), rng)
        assert 0 <= left < right <= 300
        assert 0 <= top < bottom <= 200
        assert 0.299 <= (right - left) * (bottom - top) / 60_000 <= 0.501
        assert 0.799 <= (right - left) / (bottom - top) <= 1.251


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1)])
def test_extreme_shapes_are_cropped(size: tuple[int, int]) -> None:
    assert Augment()(Image.new("RGB", size), (16, 16), "bilinear", random.Random(0)).size == (16, 16)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"flip": 2.0}, r"^data.augment.flip 2.0: not a probability - give a number from 0 to 1$"),
        ({"colour": -1.0}, r"^data.augment.colour -1.0: outside \[0, 1\] - "),
        ({"crop_scale": (0.0, 1.0)}, r"^data.augment.crop_scale \(0.0, 1.0\): not 0 < smallest <= largest <= 1 - "),
        ({"crop_scale": (0.9, 0.5)}, r"^data.augment.crop_scale "),
        ({"crop_ratio": (2.0, 1.0)}, r"^data.augment.crop_ratio \(2.0, 1.0\): not 0 < smallest <= largest - "),
    ],
)
def test_a_value_out_of_range_is_named(setting: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Augment(**setting)  # type: ignore[arg-type]
