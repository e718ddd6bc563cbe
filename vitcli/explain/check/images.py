"""The images that maps are checked on: a seeded sample of files, as pixels in the size of the net."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vitcli.errors import DataError
from vitcli.images.index.handed import Handed, cropped, stacked
from vitcli.names import counted
from vitcli.preprocess import Preprocess

# pictures that are decoded at once
DECODED = 16


def sampled(count: int, most: int, seed: int) -> list[int]:
    """Places of a random sample without repetition, in their order.

    Args:
        count: Of how many.
        most: As many at most.
        seed: Other seeds choose others.
    """
    chosen = np.random.default_rng(seed).permutation(count)[:most]
    return sorted(int(place) for place in chosen)


def sample(images: Sequence[Handed], most: int, seed: int, preprocess: Preprocess, max_pixels: int) -> Tensor:
    """A sample of images: uint8 (batch, 3, height, width); those that cannot be read are passed over.

    Args:
        images: Where they lie.
        most: As many at most.
        seed: Other seeds choose others.
        preprocess: What of each enters the net.
        max_pixels: Larger images are not decoded.

    Raises:
        DataError: None of them can be read.
    """
    chosen = [images[place] for place in sampled(len(images), most, seed)]
    parts = [stacked(read, preprocess.size) for _, read in cropped(chosen, preprocess, DECODED, max_pixels)]
    pixels = np.concatenate([np.empty((0, *preprocess.size, 3), dtype=np.uint8), *parts])
    if not len(pixels):
        raise DataError(f"--check: none of {counted(len(chosen), 'image')} can be read; name a folder of images")
    # channels last, as predict has them, so that the net adds up in the same order
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)
