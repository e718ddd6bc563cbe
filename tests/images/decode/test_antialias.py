"""Pictures are resampled without torch to the very same bytes."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from vitcli.images.decode.antialias import antialiased
from vitcli.images.decode.pixels import resized
from vitcli.preprocess import Interpolation

SIZES = [
    *((375, 500, 224, 224), (224, 300, 224, 224), (301, 224, 224, 224), (17, 9, 64, 48), (1, 1, 5, 7), (7, 5, 1, 1)),
    *((640, 480, 96, 96), (33, 1000, 40, 3), (1000, 33, 3, 40), (225, 223, 224, 224), (90, 61, 30, 61)),
]


def pictures(height: int, width: int) -> list[np.ndarray]:
    random = np.random.default_rng(height * width)
    noise = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    # where bicubic weights overshoot on both sides
    return [noise, (noise & 1) * np.uint8(255), np.full_like(noise, 255)]


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_it_is_torchs_resampling_bit_for_bit(size: tuple[int, ...], interpolation: Interpolation) -> None:
    height, width, *wanted = size
    for picture in pictures(height, width):
        image = torch.from_numpy(picture[None].transpose(0, 3, 1, 2))
        theirs = F.interpolate(image, wanted, mode=interpolation, antialias=True).numpy()[0]
        assert np.array_equal(antialiased(picture, (wanted[0], wanted[1]), interpolation), theirs)


def test_random_sizes_too() -> None:
    random = np.random.default_rng(5)
    for _ in range(60):
        height, width, *wanted = (int(side) for side in random.integers(1, 160, 4))
        picture = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        image = torch.from_numpy(picture[None].transpose(0, 3, 1, 2))
        theirs = F.interpolate(image, wanted, mode="bicubic", antialias=True).numpy()[0]
        assert np.array_equal(antialiased(picture, (wanted[0], wanted[1]), "bicubic"), theirs)


def test_a_part_of_a_picture_with_strides_of_its_own_is_taken_as_it_is() -> None:
    (picture, *_) = pictures(120, 90)
    part = picture[10:100:2, 80:5:-1]
    assert np.array_equal(antialiased(part, (20, 30), "bicubic"), antialiased(part.copy(), (20, 30), "bicubic"))


def test_it_stands_in_for_torch_where_that_was_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    (picture, *_) = pictures(50, 70)
    before = resized(picture, (32, 32), "bicubic")
    monkeypatch.delitem(sys.modules, "torch")
    without = resized(picture, (32, 32), "bicubic")
    assert "torch" not in sys.modules
    assert np.array_equal(before, without)
