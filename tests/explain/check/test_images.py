"""The sample of images is seeded and bounded, and broken files are passed over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from vitcli.errors import DataError
from vitcli.explain.check.images import sample, sampled
from vitcli.images.index.handed import handed
from vitcli.preprocess import Preprocess


def test_a_sample_is_seeded_bounded_and_without_repetition():
    assert sampled(100, 10, 0) == sampled(100, 10, 0) != sampled(100, 10, 1)
    assert len(set(sampled(100, 10, 0))) == 10
    assert sampled(3, 10, 0) == [0, 1, 2]


def test_what_cannot_be_read_is_passed_over(write_photos: Callable[..., None], tmp_path: Path):
    write_photos("photos/a.png", "photos/b.jpg")
    (tmp_path / "photos" / "c.jpg").write_text("<html>404</html>")
    preprocess = Preprocess(size=(16, 24))
    images = handed(tmp_path / "photos")
    found = sample(images, 50, 0, preprocess, 10**6)
    assert found.shape == (2, 3, 16, 24)
    assert found.dtype == torch.uint8
    with pytest.raises(DataError, match=r"^--check: none of 1 image can be read; "):
        sample(images[2:], 50, 0, preprocess, 10**6)
