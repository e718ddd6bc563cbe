"""The sheet shows training pictures as the net sees them, with their labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from vitcli.data.augment.augment import Augment
from vitcli.data.batches.samples import Batch
from vitcli.data.layouts.shapes import ShapesData
from vitcli.data.sheet import CAPTION, MARGIN, SIDE, caption, draw_sheet, write_sheet
from vitcli.preprocess import Preprocess


def batch(count: int, **more: torch.Tensor) -> Batch:
    shades = torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1) * 20
    empty = torch.zeros(count, dtype=torch.int64)
    return Batch(image=shades.expand(count, 3, 8, 8), label=empty, index=empty, size=empty, errors=[], **more)  # type: ignore[typeddict-item]


def test_every_picture_has_its_place() -> None:
    sheet = np.asarray(draw_sheet(batch(7), ("cat",)))
    columns, rows = 4, 2
    assert sheet.shape == (rows * (SIDE + CAPTION + MARGIN) + MARGIN, columns * (SIDE + MARGIN) + MARGIN, 3)
    for number in range(7):
        row, column = divmod(number, columns)
        top, left = MARGIN + row * (SIDE + CAPTION + MARGIN), MARGIN + column * (SIDE + MARGIN)
        assert (sheet[top : top + SIDE, left : left + SIDE] == number * 20).all()
    assert (sheet[MARGIN + SIDE : MARGIN + SIDE + CAPTION, MARGIN : MARGIN + 40] < 100).any()


def test_a_caption_names_the_label_or_the_shares() -> None:
    assert caption(batch(1), 0, ("cat", "dog")) == "cat"
    mixed = batch(1, target=torch.tensor([[0.25, 0.75]]))
    assert caption(mixed, 0, ("cat", "dog")) == "0.75 dog + 0.25 cat"
    assert caption(batch(1), 0, ("a" * 40,)) == "a" * 21 + "..."
    assert caption(batch(1), 0, ("\udcff",)) == "\\udcff"


def test_the_sheet_is_the_first_batch_of_the_first_epoch(tmp_path: Path) -> None:
    data = ShapesData(train=30, val=4, preprocess=Preprocess(size=(16, 16)), batch_size=6, classes=("circle", "square"))
    data.augment = Augment(colour=0.4, mixup=0.5)
    state = torch.get_rng_state()
    file = tmp_path / "samples.png"
    assert write_sheet(data, file)
    first = draw_sheet(data.varied(next(iter(data.train_dataloader()))), data.classes)
    assert np.array_equal(np.asarray(Image.open(file)), np.asarray(first))
    assert torch.equal(torch.get_rng_state(), state)
