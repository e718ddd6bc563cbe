"""Colours of maps, and the sheets on which they stand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitcli.report.charts.colouring import Scale, overlay
from vitcli.report.charts.easel import house_style
from vitcli.report.charts.map_sheet import draw_layers


def test_a_scale_is_from_zero_and_two_sided_where_anything_is_below_it():
    assert Scale.of(np.array([[1, 4]], dtype=np.float32)) == Scale(0, 4, is_cut=False)
    assert Scale.of(np.array([[1, -4]], dtype=np.float32)) == Scale(-4, 4, is_cut=False)
    assert Scale.of(np.zeros((2, 2), dtype=np.float32)) == Scale(0, 1, is_cut=False)
    many = np.ones((20, 20), dtype=np.float32)
    many[0, :2] = 100
    assert Scale.of(many) == Scale(0, 1, is_cut=True)


def test_zero_is_grey_and_both_sides_are_as_strong():
    red, grey, blue = Scale.of(np.array([[1, 0, -1]], dtype=np.float32)).colours(np.array([[1, 0, -1]], np.float32))[0]
    assert int(np.ptp(grey)) < 4
    assert red[0] > red[2] + 100
    assert blue[2] > blue[0] + 100


def test_each_patch_is_a_square_of_its_colour_over_the_picture_in_grey():
    found = np.array([[0, 1], [2, 3]], dtype=np.float32)
    scale = Scale.of(found)
    drawn = overlay(np.full((8, 12, 3), 100, dtype=np.uint8), found, scale)
    assert drawn.shape == (8, 12, 3)
    for row, column in np.ndindex(2, 2):
        square = drawn[row * 4 : row * 4 + 4, column * 6 : column * 6 + 6].reshape(-1, 3)
        assert len(np.unique(square, axis=0)) == 1
        wanted = 0.6 * scale.colours(found)[row, column].astype(float) + 0.4 * 100
        np.testing.assert_allclose(square[0], wanted, atol=1)


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (12, 8, 3, 64), (2, 40, 5, 5)])
def test_layers_and_heads_fit_on_a_sheet_whatever_their_number(tmp_path: Path, shape: tuple[int, ...]):
    layers = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    with house_style():
        draw_layers(tmp_path / "sheet.png", layers, "cat 0.5", "a.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert 150 < min(sheet.size) <= max(sheet.size) < 1600
