"""Drawn shapes lie where their boxes say, in whatever way the net crops."""

from __future__ import annotations

import numpy as np
import pytest

from vitcli.explain.check.drawn import drawn_shapes, knows_shapes
from vitcli.preprocess import Preprocess


@pytest.mark.parametrize(
    "preprocess",
    [
        Preprocess(size=(96, 96), crop_fraction=1.0),
        Preprocess(size=(96, 128), crop_fraction=0.9),
        Preprocess(size=(96, 64), resize="pad"),
    ],
)
def test_the_box_is_where_the_shape_is_in_the_pixels_of_the_net(preprocess: Preprocess):
    found = drawn_shapes(preprocess, ("square", "circle"), 4, 0)
    assert found.images.shape == (4, 3, *preprocess.size)
    assert found.labels.tolist() == [0, 1, 0, 1]
    for image, box in zip(found.images.numpy(), found.boxes.numpy(), strict=True):
        bright = image.mean(axis=0) > 127
        middle = bright[round((box[1] + box[3]) / 2), round((box[0] + box[2]) / 2)]
        rows, columns = np.nonzero(bright == middle)
        assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == pytest.approx(box, abs=2.0)


def test_only_nets_of_shapes_alone_are_asked_for_shapes():
    assert knows_shapes(("circle", "star"))
    assert not knows_shapes(("circle", "cat"))
    assert not knows_shapes(("circle",))
