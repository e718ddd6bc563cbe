"""The pointing game and the share inside a box, by hand; and what random maps have of them."""

from __future__ import annotations

import pytest
import torch

from vitcli.explain.check.pointing import expected, point

# 4 x 4 patches of 10 x 20 pixels; the box holds the patches (1, 1) and (1, 2), and half of (2, 1) and (2, 2)
SIZE = (40, 80)
BOX = torch.tensor([[20.0, 10.0, 60.0, 25.0]])


def a_map(**patches: float) -> torch.Tensor:
    found = torch.zeros(1, 4, 4)
    for name, value in patches.items():
        found[0, int(name[1]), int(name[2])] = value
    return found


@pytest.mark.parametrize(
    ("maps", "hit", "inside"),
    [
        (a_map(p11=1.0), 1, 1),
        (a_map(p00=1.0), 0, 0),
        (a_map(p11=3.0, p00=1.0), 1, 0.75),
        (a_map(p21=1.0), 1, 0.5),
        (a_map(p31=2.0, p12=1.0), 0, 1 / 3),
        # two that matter most, one of them inside
        (a_map(p11=1.0, p33=1.0), 0.5, 0.5),
        # what speaks against the class is no relevance
        (a_map(p11=1.0, p00=-5.0), 1, 1),
        # nothing at all: as good as chance
        (a_map(), 0.25, 3 / 16),
    ],
)
def test_a_hit_is_the_middle_of_the_strongest_patch_and_a_cut_patch_counts_in_part(
    maps: torch.Tensor, hit: float, inside: float
):
    found = point(maps, BOX, SIZE)
    assert found.hit.item() == pytest.approx(hit, abs=1e-12)
    assert found.inside.item() == pytest.approx(inside, abs=1e-12)


def test_chance_is_the_mean_over_maps_of_one_patch_each():
    boxes = torch.tensor([[20.0, 10.0, 60.0, 25.0], [3.3, 7.9, 44.0, 36.1]]).double()
    each = torch.eye(16).reshape(16, 4, 4)
    chance = expected(boxes, (4, 4), SIZE)
    for number, box in enumerate(boxes):
        found = point(each, box.expand(16, 4), SIZE)
        assert float(chance.hit[number]) == pytest.approx(float(found.hit.mean()), abs=1e-12)
        assert float(chance.inside[number]) == pytest.approx(float(found.inside.mean()), abs=1e-12)
        left, top, right, bottom = box.tolist()
        assert float(chance.inside[number]) == pytest.approx((right - left) * (bottom - top) / (40 * 80), abs=1e-12)
