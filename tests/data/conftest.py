"""What do the tests of the data room share? Small pictures in any folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image


@pytest.fixture
def write_images(tmp_path: Path) -> Callable[..., None]:
    """A function that writes tiny pictures to paths below ``tmp_path``, each of its own grey."""

    def write(*paths: str, size: tuple[int, int] = (6, 4)) -> None:
        for number, path in enumerate(paths):
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", size, (number % 256, 100, 50)).save(file)

    return write
