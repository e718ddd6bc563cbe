"""Sets that come out nearly black or white are told, and dark or bright photos are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import picture_bytes
from tests.images.decode.test_deep import png
from vitcli.data import ShapesData
from vitcli.data.layouts.folder import FolderData
from vitcli.images.index.facts import inspect, tones
from vitcli.images.index.index import Index
from vitcli.images.index.listing import Listing
from vitcli.images.index.tone import BLACK, WHITE, blank, blank_listed
from vitcli.preprocess import Preprocess


def found(*groups: tuple[int, int, int], labels: list[str] | None = None) -> dict[str, list[int]]:
    """Groups of images, each of so many of one lowest and one highest level."""
    low, high = (
        np.concatenate([np.full(group[0], group[place], dtype=np.uint8) for group in groups]) for place in (1, 2)
    )
    held = blank(low, high, labels or ["a"] * len(low))
    return {name: positions.tolist() for name, positions in held.items()}


def test_a_tenth_of_all_images_is_many() -> None:
    assert found((27, 0, 200), (3, 0, 16)) == {"nearly black": [27, 28, 29]}
    assert found((28, 0, 200), (3, 0, 16)) == {}
    assert found((27, 0, 200), (3, 239, 255)) == {"nearly white": [27, 28, 29]}
    assert found((300, 0, 17), (300, 238, 255)) == {}


def test_half_of_a_class_is_many() -> None:
    labels = ["owl"] * 100 + ["cat"] * 6
    assert found((100, 0, 200), (3, 0, 200), (3, 0, 9), labels=labels) == {"nearly black": [103, 104, 105]}
    assert found((101, 0, 200), (3, 0, 200), (2, 0, 9), labels=labels) == {}


def test_few_images_are_many_where_there_are_no_others() -> None:
    assert found((1, 0, 0)) == {"nearly black": [0]}
    assert found((2, 0, 0)) == {"nearly black": [0, 1]}
    assert found((2, 0, 0), (1, 0, 200)) == {}
    assert blank(np.zeros(0, np.uint8), np.zeros(0, np.uint8), []) == {}


def test_tones_leave_out_one_pixel_in_a_hundred_at_either_end() -> None:
    grey = np.full((100, 100), 90, dtype=np.uint8)
    grey[0, :99], grey[1, :99] = 255, 0
    assert tones(grey) == (90, 90)
    grey[2, :9], grey[3, :9] = 255, 0
    assert tones(grey) == (0, 255)
    assert tones(np.array([[7]], dtype=np.uint8)) == (7, 7)


@pytest.mark.shared_data
def test_no_real_photo_is_near_either_end(shared_data: Path) -> None:
    files = [file for name in ("pets", "objects", "trash", "highres") for file in (shared_data / name).rglob("*.jpg")]
    facts = [inspect(file.read_bytes()) for file in files[::7]]
    assert min(one.high for one in facts) > 3 * BLACK
    assert max(one.low for one in facts) < WHITE - 50


def test_no_drawn_shape_is_near_either_end(tmp_path: Path) -> None:
    ShapesData(preprocess=Preprocess(size=(24, 32))).write(tmp_path, "train", 40)
    data = FolderData(str(tmp_path), cache_dir=str(tmp_path / ".kept"))
    data.setup("fit")
    assert not any("nearly" in notice for notice in data.notices)


def test_fit_tells_it_in_one_line(tmp_path: Path) -> None:
    # 12 bits, and one pixel of 16
    for number in range(40):
        values = np.random.default_rng(number).integers(0, 4096, (24, 24, 3)).astype(np.uint16)
        values[0, 0] = 65535
        file = tmp_path / "photos" / "ab"[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png(values))
    root, kept = str(tmp_path / "photos"), str(tmp_path / "kept")
    data = FolderData(root, cache_dir=kept)
    data.setup("fit")
    told = [notice for notice in data.notices if "nearly" in notice]
    assert told == [
        "nearly black: 36 of 36 images, such as a/0.png (99 % of its pixels are at most 16 of 255); if files hold more "
        "than 8 bits, --model.preprocess.white sets the value of white; vitcli check lists them"
    ]
    data = FolderData(root, cache_dir=kept, preprocess=Preprocess(white=4095))
    data.setup("fit")
    assert not any("nearly" in notice for notice in data.notices)


def test_samples_that_are_no_files_are_not_told_of() -> None:
    assert blank_listed([Listing(["a"], np.array([0]), lambda _: NotImplemented)]) == []
    assert blank_listed([]) == []


def test_tones_are_kept_with_the_index(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture_bytes())
    data = FolderData(str(tmp_path), cache_dir=str(tmp_path / ".kept"))
    index = data.index()
    facts = inspect(picture_bytes())
    assert 0 < facts.low < facts.high < 255
    index.note(0, facts)
    index.save(tmp_path / "index.npz")
    loaded = Index.load(tmp_path / "index.npz")
    assert loaded is not None
    assert loaded.facts(0) == facts
