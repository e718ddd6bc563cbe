"""The net of colours in a file, and pictures for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.light.colours import colours, written


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The net of colours, for any number of pictures."""
    return written(tmp_path_factory.mktemp("light") / "colours.onnx", colours())


@pytest.fixture(scope="session")
def pixels() -> NDArray[np.uint8]:
    """Eleven pictures of the net's size: uint8 (11, 16, 16, 3)."""
    means = np.random.default_rng(0).integers(40, 216, (11, 1, 1, 3))
    noise = np.random.default_rng(1).integers(-40, 40, (11, 16, 16, 3))
    return (means + noise).astype(np.uint8)
