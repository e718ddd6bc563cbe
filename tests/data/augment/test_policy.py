"""Torchvision's policies are applied by the generator of the picture, and by nothing else."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from tests.conftest import photo
from vitcli.data.augment.policy import Policy, vary

PLANES = np.array(photo(0, (32, 32))).transpose(2, 0, 1)
FILL = (124, 116, 104)


def changed(policy: Policy, seed: int) -> bytes:
    return vary(PLANES, policy, 9, random.Random(seed), FILL).tobytes()


@pytest.mark.parametrize("policy", ["trivial", "rand"])
def test_a_seed_makes_the_same_change_in_any_thread_and_disturbs_no_other_chance(policy: Policy) -> None:
    torch.manual_seed(3)
    state = torch.get_rng_state()
    alone = [changed(policy, seed) for seed in range(24)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda seed: changed(policy, seed), range(24))) == alone
    assert torch.equal(torch.get_rng_state(), state)
    assert len(set(alone)) > 15


def test_the_pixels_are_those_of_torchvision_itself() -> None:
    from PIL import Image
    from torchvision.transforms import v2

    rng = random.Random(5)
    ours = vary(PLANES, "trivial", 9, rng, FILL)
    torch.manual_seed(int(random.Random(5).random() * 2**63))
    transform = v2.TrivialAugmentWide(interpolation=v2.InterpolationMode.BILINEAR, fill=list(FILL))
    theirs = np.asarray(transform(Image.fromarray(np.ascontiguousarray(PLANES.transpose(1, 2, 0)))))
    assert np.array_equal(ours.transpose(1, 2, 0), theirs)


def test_the_magnitude_of_rand_is_the_one_given() -> None:
    rotated = [vary(PLANES, "rand", strength, random.Random(2), FILL).astype(np.int16) for strength in (0, 30)]
    assert np.abs(rotated[1] - PLANES).mean() > np.abs(rotated[0] - PLANES).mean()
