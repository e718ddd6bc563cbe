"""Exactly that is done with a batch which was drawn for its pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance
from torch import Tensor

from tests.conftest import photo
from vitcli.data.augment.augment import Augment, Chance
from vitcli.data.augment.device import Chances, gather, mix, vary
from vitcli.data.layouts.folder import FolderData
from vitcli.data.layouts.shapes import ShapesData
from vitcli.preprocess import Preprocess

FILL = (1, 2, 3)
NEITHER = Chance((False, False), (1, 1, 1), (0, 0, 0, 0))


def images(count: int = 3) -> Tensor:
    return torch.stack([torch.tensor(np.array(photo(number, (12, 8)))).permute(2, 0, 1) for number in range(count)])


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_each_picture_is_mirrored_as_it_was_drawn(layout: torch.memory_format) -> None:
    drawn = [NEITHER, NEITHER._replace(mirror=(True, False)), NEITHER._replace(mirror=(True, True))]
    given = images().contiguous(memory_format=layout)
    varied = vary(given, gather(drawn, 0), Augment(flip_vertical=0.5), FILL)
    assert varied.dtype == torch.uint8
    expected = [images()[0], images()[1].flip(2), images()[2].flip(1, 2)]
    assert torch.equal(varied, torch.stack(expected))


def test_torch_has_its_threads_back_once_pictures_are_mirrored() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        vary(images(1), gather([NEITHER._replace(mirror=(True, True))], 0), Augment(flip_vertical=0.5), FILL)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("kind", "place"), [(ImageEnhance.Brightness, 0), (ImageEnhance.Contrast, 1), (ImageEnhance.Color, 2)]
)
@pytest.mark.parametrize("factor", [0.6, 1.4])
def test_colours_change_as_pillows_do(kind: type, place: int, factor: float) -> None:
    colour = [1.0, 1.0, 1.0]
    colour[place] = factor
    drawn = gather([NEITHER._replace(colour=tuple(colour)), NEITHER], 0)  # type: ignore[arg-type]
    varied = vary(images(2), drawn, Augment(flip=0, colour=0.4), FILL)
    expected = np.asarray(kind(Image.fromarray(images(1)[0].permute(1, 2, 0).numpy())).enhance(factor))
    # Pillow rounds the grey that it mixes in, and then rounds down
    assert np.abs(varied[0].permute(1, 2, 0).numpy() - expected).max() <= 1.5
    assert torch.allclose(varied[1], images(2)[1].float(), atol=1e-3)


def test_what_is_erased_is_filled_and_nothing_else() -> None:
    drawn = gather([NEITHER._replace(erased=(0.25, 0.5, 0.75, 1.0)), NEITHER], 0)
    varied = vary(images(2), drawn, Augment(flip=0, erase=0.5), FILL)
    expected = images(2)
    expected[0, :, 2:6, 6:12] = torch.tensor(FILL, dtype=torch.uint8).view(3, 1, 1)
    assert torch.equal(varied, expected)


def test_a_picture_is_varied_alike_in_any_batch() -> None:
    augment = Augment(flip=0.5, colour=0.4, erase=0.5)
    drawn = [
        Chance((True, False), (0.7, 1.2, 0.9), (0.1, 0.2, 0.5, 0.6)),
        Chance((False, True), (1.3, 0.8, 1.1), (0, 0, 0, 0)),
    ]
    both = vary(images(2), gather(drawn, 0), augment, FILL)
    alone = [vary(images(2)[place : place + 1], gather([drawn[place]], 0), augment, FILL) for place in (0, 1)]
    assert torch.equal(both, torch.cat(alone))


def test_mixing_blends_pictures_and_labels_by_the_same_share() -> None:
    pixels, labels = images().float(), torch.tensor([0, 1, 2])
    mixed, target = mix(pixels, labels, 4, 7, Augment(mixup=0.8))
    share = target[0, 0].item()
    assert 0 < share < 1
    assert torch.allclose(target.sum(1), torch.ones(3))
    assert torch.allclose(mixed, share * pixels + (1 - share) * pixels.roll(1, 0), atol=1e-3)


def test_pasting_takes_a_rectangle_and_its_share_of_the_label() -> None:
    pixels, labels = torch.stack([torch.full((3, 20, 20), float(value)) for value in (10, 200)]), torch.tensor([0, 1])
    for seed in range(20):
        mixed, target = mix(pixels, labels, 2, seed, Augment(cutmix=1))
        assert target[0, 1].item() == pytest.approx((mixed[0, 0] == 200).float().mean().item())


def test_the_seed_alone_decides_and_the_global_state_is_left_alone() -> None:
    state = torch.get_rng_state()
    augment = Augment(mixup=0.4, cutmix=1)
    runs = [mix(images().float(), torch.arange(3), 3, seed, augment) for seed in (1, 1, *range(2, 30))]
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(runs[0][0], runs[1][0])
    assert len({tuple(target.flatten().tolist()) for _, target in runs}) > 10


def test_one_picture_alone_is_mixed_with_nothing() -> None:
    mixed, target = mix(images(1), torch.tensor([2]), 3, 0, Augment(mixup=1))
    assert torch.equal(mixed, images(1))
    assert target.tolist() == [[0, 0, 1]]


def test_training_batches_are_varied_on_their_way_to_the_step_and_others_are_not() -> None:
    data = ShapesData(train=8, val=4, batch_size=4, preprocess=Preprocess(size=(8, 8)), classes=("circle", "square"))
    data.augment = Augment(mixup=0.5, colour=0.3)
    raw = next(iter(data.train_dataloader()))
    assert isinstance(raw["chances"], Chances)
    batch = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    assert "chances" not in batch
    assert batch["image"].dtype == torch.float32
    assert batch["target"].shape == (4, 2)
    plain = next(iter(data.val_dataloader()))
    assert data.on_after_batch_transfer(plain, 0) is plain
    assert plain["image"].dtype == torch.uint8


def test_a_batch_of_which_nothing_could_be_read_is_varied(tmp_path: object, write_images: object) -> None:
    write_images("a/1.png", "b/1.png")  # type: ignore[operator]
    data = FolderData(str(tmp_path), preprocess=Preprocess(size=(8, 8)), augment=Augment(mixup=1, colour=0.2, erase=1))
    for label in "ab":
        (tmp_path / label / "1.png").write_bytes(b"")  # type: ignore[operator]
    batch = data.varied(next(iter(data.train_dataloader())))
    assert batch["image"].shape == (0, 3, 8, 8)
    assert batch["target"].shape == (0, 2)
