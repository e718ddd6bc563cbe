"""Deletion and insertion curves against pictures that are changed patch by patch."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

from tests.net.test_watch import images, net
from vitcli.explain.check.deletion import area, blur, curves
from vitcli.net import ViT

CLASSES = torch.tensor([2, 0])


def probability(built: ViT, picture: Tensor, label: int) -> float:
    with torch.no_grad():
        return float(built(picture[None]).softmax(dim=1)[0, label])


def test_a_curve_is_what_the_net_says_when_patches_go_and_come_in_the_order_of_the_map():
    built = net(pool="mean")
    maps = torch.randn(2, 4, 4, generator=torch.Generator().manual_seed(3)).double()
    found = curves(built, images(), maps, CLASSES, 0)
    assert found.deletion.shape == found.insertion.shape == (2, 17)
    for number, label in enumerate(CLASSES.tolist()):
        gone, come = images()[number].clone(), blur(built, images())[number].clone()
        for step, place in enumerate([-1, *maps[number].flatten().argsort(descending=True).tolist()]):
            if step:
                rows = slice(place // 4 * 8, place // 4 * 8 + 8)
                columns = slice(place % 4 * 8, place % 4 * 8 + 8)
                gone[:, rows, columns] = 0
                come[:, rows, columns] = images()[number, :, rows, columns]
            assert float(found.deletion[number, step]) == pytest.approx(probability(built, gone, label), abs=1e-12)
            assert float(found.insertion[number, step]) == pytest.approx(probability(built, come, label), abs=1e-12)
        assert not gone.any()
        assert torch.equal(come, images()[number])


def test_a_grid_of_more_patches_than_steps_is_walked_in_equal_shares():
    built = net(pool="mean", patch_size=4)
    found = curves(built, images(), torch.rand(2, 8, 8), CLASSES, 0)
    assert found.deletion.shape == (2, 17)
    assert float(found.deletion[0, 16]) == pytest.approx(probability(built, 0 * images()[0], 2), abs=1e-12)


def test_patches_that_matter_alike_go_in_a_random_order_that_the_seed_decides():
    built = net(pool="mean")
    first, again, other = (curves(built, images(), torch.zeros(2, 4, 4), CLASSES, seed).deletion for seed in (1, 1, 2))
    by_rows = curves(built, images(), -torch.arange(16.0).reshape(1, 4, 4).expand(2, -1, -1), CLASSES, 1).deletion
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
    assert not torch.allclose(first, by_rows)


def test_the_area_is_the_mean_height():
    assert area(torch.ones(1, 5).double()).tolist() == [1]
    assert area(torch.linspace(1, 0, 9).double()[None]).item() == pytest.approx(0.5, abs=1e-12)
    assert area(torch.tensor([[1.0, 0, 0, 0, 0]]).double()).tolist() == [0.125]


@pytest.mark.parametrize("patch", [2, 4, (2, 8)])
def test_the_blur_is_gaussian_and_as_wide_as_a_patch(patch: int | tuple[int, int]):
    built = net(pool="mean", patch_size=patch)
    height, width = built.patches.patch_size
    # torchvision: kernel and sigma as (across, down)
    peer = gaussian_blur(images(), [6 * width + 1, 6 * height + 1], [float(width), float(height)])
    torch.testing.assert_close(blur(built, images()), peer, rtol=0, atol=1e-12)


def test_a_patch_as_large_as_half_the_picture_is_blurred_too():
    built = net(pool="mean", patch_size=16)
    found = blur(built, images())
    assert found.shape == images().shape
    assert float(found.std()) < 0.2 * float(images().std())
