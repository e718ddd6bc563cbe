"""The shapes are a function of their numbers, and beyond a linear model."""

from __future__ import annotations

import hashlib
import pickle
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from vitcli.data.layouts.drawing import KINDS, draw
from vitcli.data.layouts.shapes import ShapesData
from vitcli.errors import ConfigError, DataError
from vitcli.images.decode.encoded import open_image
from vitcli.images.index.listing import Listing
from vitcli.preprocess import Preprocess

SMALL = Preprocess(size=(32, 40), crop_fraction=1.0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_shape_is_a_function_of_its_random_numbers(kind: str) -> None:
    first, again, other = (draw(kind, random.Random(seed), (32, 40))[0] for seed in (1, 1, 2))
    assert (first.mode, first.size) == ("RGB", (40, 32))
    assert first.tobytes() == again.tobytes() != other.tobytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_the_box_of_a_shape_is_where_its_colour_is(kind: str, seed: int) -> None:
    image, box = draw(kind, random.Random(seed), (96, 128))
    bright = np.asarray(image.convert("L")) > 127
    inside = bright[round((box[1] + box[3]) / 2), round((box[0] + box[2]) / 2)]
    rows, columns = np.nonzero(bright == inside)
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == pytest.approx(box, abs=1.5)


def pixels(listing: Listing, position: int) -> bytes:
    picture = listing.open(position)
    return picture.whole(picture.height, picture.width).tobytes()


def test_the_listing_is_even_and_named_by_kind() -> None:
    listing = ShapesData(test=5, preprocess=SMALL).listing("test")
    assert listing.paths == [f"test/circle/000{i}.png" for i in range(3)] + [
        f"test/square/000{i}.png" for i in range(2)
    ]
    assert listing.labels.tolist() == [0, 0, 0, 1, 1]


def test_predict_lists_the_pictures_of_all_splits() -> None:
    data = ShapesData(train=4, val=2, test=3, preprocess=SMALL)
    listing = data.listing("predict")
    assert listing.paths == [path for split in ("train", "val", "test") for path in data.listing(split).paths]  # type: ignore[arg-type]
    assert listing.labels.tolist() == [0, 0, 1, 1, 0, 1, 0, 0, 1]
    assert pixels(listing, 8) == pixels(data.listing("test"), 2)


def test_no_picture_is_in_two_splits_and_seeds_differ() -> None:
    def digests(seed: int) -> list[str]:
        data = ShapesData(train=6, val=6, test=6, preprocess=SMALL, drawing_seed=seed)
        listings = [data.listing(split) for split in ("train", "val", "test")]
        return [hashlib.sha256(pixels(listing, i)).hexdigest() for listing in listings for i in range(6)]

    assert digests(0) == digests(0)
    assert len(set(digests(0) + digests(1))) == 36


def test_labels_are_matched_by_name() -> None:
    data = ShapesData(test=4, preprocess=SMALL, classes=("square", "star", "circle"))
    assert data.listing("test").labels.tolist() == [2, 2, 0, 0]
    assert data.find_classes() == ("circle", "square")
    with pytest.raises(DataError, match=r"^data.kinds \['circle', 'square'\]: 'circle' is none of the model's classes"):
        ShapesData(classes=("square", "star")).list_split("train")


def test_a_listing_travels_to_worker_processes() -> None:
    listing = ShapesData(preprocess=SMALL).listing("test")
    assert pixels(pickle.loads(pickle.dumps(listing)), 3) == pixels(listing, 3)


def test_written_pictures_are_those_of_the_split(tmp_path: Path) -> None:
    data = ShapesData(preprocess=SMALL)
    written = data.write(tmp_path, "test", count=4)
    assert [Path(file).relative_to(tmp_path).as_posix() for file in written] == [
        f"{kind}/000{i}.png" for kind in ("circle", "square") for i in range(2)
    ]
    assert open_image(written[0]).tobytes() == pixels(data.listing("test"), 0)


def test_a_linear_model_on_the_pixels_fails() -> None:
    """Logistic regression with weight decay, on as many pictures as a demo trains on."""
    data = ShapesData(train=1500, val=400, preprocess=Preprocess(size=(32, 32), crop_fraction=1.0))

    def split(name: str) -> tuple[torch.Tensor, torch.Tensor]:
        batches = list(data.val_dataloader() if name == "val" else data._evaluation_loader("train"))
        images = torch.cat([batch["image"] for batch in batches]).flatten(1).float() / 255 - 0.5
        return images, torch.cat([batch["label"] for batch in batches])

    images, labels = split("train")
    model = torch.nn.Linear(images.shape[1], 2)
    torch.nn.init.zeros_(model.weight)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(images), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    images, labels = split("val")
    assert (model(images).argmax(1) == labels).float().mean() < 0.65


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            {"kinds": ("circle", "blob")},
            r"^data.kinds \['circle', 'blob'\]: 'blob' cannot be drawn; choose two or more of",
        ),
        ({"kinds": ("circle",)}, r"^data.kinds \['circle'\]: names fewer than two different shapes; "),
        ({"kinds": ("star", "star")}, r"^data.kinds \['star', 'star'\]: names fewer than two different shapes; "),
        ({"val": 1}, r"^data.val 1: fewer pictures than kinds; give at least 2$"),
    ],
)
def test_a_setting_that_cannot_be_is_named(setting: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ShapesData(**setting)  # type: ignore[arg-type]
