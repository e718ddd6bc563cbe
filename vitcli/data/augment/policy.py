"""TrivialAugment and RandAugment by torchvision, with random numbers from each picture's own generator."""

from __future__ import annotations

import random
import threading
from functools import cache
from typing import Any, Literal, get_args

import numpy as np
import torch
from PIL import Image

from vitcli.images.decode.pixels import Rgb

Policy = Literal["none", "trivial", "rand"]
POLICIES = get_args(Policy)
SEEDS = 2**63

# torchvision draws from torch's global generator, so threads take turns
_turn = threading.Lock()


def vary(planes: Rgb, policy: Policy, magnitude: int, rng: random.Random, fill: tuple[int, int, int]) -> Rgb:
    """A picture changed by a policy: uint8 (3, height, width) -> the same shape.

    Args:
        planes: The pixels.
        policy: trivial or rand.
        magnitude: Strength of rand, 0 to 30.
        rng: Where every random number comes from; only its ``random`` is used.
        fill: Colour of what a turned or moved picture leaves free.
    """
    image = Image.fromarray(np.ascontiguousarray(planes.transpose(1, 2, 0)))
    transform, seed = _transform(policy, magnitude, fill), int(rng.random() * SEEDS)
    with _turn, torch.random.fork_rng(devices=()):
        torch.default_generator.manual_seed(seed)
        changed: Rgb = np.asarray(transform(image))
    return changed.transpose(2, 0, 1)


@cache
def _transform(policy: Policy, magnitude: int, fill: tuple[int, int, int]) -> Any:
    # torchvision takes two seconds to import, and most trainings have no policy
    from torchvision.transforms import v2  # type: ignore[import-untyped]

    options: dict[str, Any] = {"interpolation": v2.InterpolationMode.BILINEAR, "fill": list(fill)}
    return v2.TrivialAugmentWide(**options) if policy == "trivial" else v2.RandAugment(magnitude=magnitude, **options)
