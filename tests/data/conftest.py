"""What do the tests of the data room share? Small pictures in any folders."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def photo(number: int = 0, size: tuple[int, int] = (60, 40)) -> Image.Image:
    """A picture with soft shapes, such as cameras take, of (width, height); another one for each number."""
    rng = np.random.default_rng(number)
    coarse = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def picture_bytes(number: int = 0, kind: str = "PNG", **options: object) -> bytes:
    """The file of a photo."""
    buffer = io.BytesIO()
    photo(number).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def write_images(tmp_path: Path) -> Callable[..., None]:
    """A function that writes tiny pictures to paths below ``tmp_path``, each of its own grey."""

    def write(*paths: str, size: tuple[int, int] = (6, 4)) -> None:
        for number, path in enumerate(paths):
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", size, (number % 256, 100, 50)).save(file)

    return write


@pytest.fixture
def write_photos(tmp_path: Path) -> Callable[..., None]:
    """A function that writes photos to paths below ``tmp_path``, each another one."""

    def write(*paths: str, first: int = 0, size: tuple[int, int] = (60, 40)) -> None:
        for number, path in enumerate(paths, first):
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            photo(number, size).save(file)

    return write
