"""OnnxPredictor: the same rows as Predictor's, of whatever it is given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import photo
from tests.light.colours import colours, expected, written
from vitcli.errors import ConfigError, DataError
from vitcli.images.decode.given import of_array
from vitcli.images.decode.pixels import Way
from vitcli.light import OnnxPredictor
from vitcli.preprocess import Preprocess

PREPROCESS = Preprocess((16, 16))


def answers(image: Image.Image) -> list[float]:
    """What the net answers to a picture of any size."""
    picture = of_array(np.asarray(image))
    planes = picture.crop(PREPROCESS.region(picture.height, picture.width), Way.of(PREPROCESS))
    return expected(planes.transpose(1, 2, 0)[None])[0].tolist()


def test_paths_images_and_arrays_get_the_row_that_is_known_by_hand(model: Path, tmp_path: Path) -> None:
    image = photo(3, (61, 40))
    image.save(tmp_path / "a.png")
    (tmp_path / "b.jpg").write_bytes(b"no picture")
    predictor = OnnxPredictor(model, batch_size=2)
    file, broken, *others = predictor.predict([tmp_path / "a.png", tmp_path / "b.jpg", image, np.asarray(image)])
    shares = answers(image)
    assert file.probabilities == pytest.approx(shares, abs=1e-6)
    assert file.predicted == predictor.classes[int(np.argmax(shares))]
    assert file.confidence == max(file.probabilities)
    assert (file.path, file.width, file.height, file.status) == (str(tmp_path / "a.png"), 61, 40, "ok")
    assert (broken.status, broken.error, broken.predicted) == ("error", "not an image (cannot identify)", "")
    assert [row.path for row in others] == ["", ""]
    assert all(row.probabilities == file.probabilities for row in others)
    assert [row.path for row in predictor.predict(tmp_path)] == ["a.png", "b.jpg"]


def test_of_many_classes_a_row_names_the_best(tmp_path: Path) -> None:
    names = tuple(f"class {number}" for number in range(120))
    predictor = OnnxPredictor(written(tmp_path / "a.onnx", colours(names)))
    (row,) = predictor.predict(np.full((20, 20, 3), (10, 250, 10), dtype=np.uint8))
    # all that look at green, the first of them likeliest
    assert [name for name, _ in row.top] == [f"class {number}" for number in (1, 4, 7, 10, 13)]
    assert row.probabilities == ()


def test_the_threshold_is_the_files_own_unless_it_is_said(tmp_path: Path) -> None:
    path = written(tmp_path / "a.onnx", colours(("red", "green"), threshold=0.2))
    image = np.full((20, 20, 3), (140, 110, 0), dtype=np.uint8)
    (own,), (said,) = OnnxPredictor(path).predict(image), OnnxPredictor(path, threshold=0.5).predict(image)
    assert (own.predicted, said.predicted) == ("green", "red")
    assert own.confidence == own.probabilities[1]


def test_what_is_no_image_or_no_number_is_refused(model: Path) -> None:
    with pytest.raises(ConfigError, match=r"batch_size 0: below 1"):
        OnnxPredictor(model, batch_size=0)
    with pytest.raises(ConfigError, match=r"threshold 0\.5: is for two classes, and there are 3"):
        OnnxPredictor(model, threshold=0.5)
    with pytest.raises(DataError, match="is no image"):
        OnnxPredictor(model).predict([3])  # type: ignore[list-item]
