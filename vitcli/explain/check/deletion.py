"""Deletion and insertion curves of maps (RISE, Petsiuk et al. 2018, 4.2): the probability as patches go, or come."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from vitcli.net import ViT

# shares of the patches that a curve is asked for, between none and all
STEPS = 16
# tokens of one forward pass: 64 images of 197 tokens
TOKENS_AT_ONCE = 12_608


class Curves(NamedTuple):
    """The probability of the explained class, from no patch changed to all of them, at equal steps.

    Args:
        deletion: While the patches that matter most, by a map, are made grey: (images, steps + 1).
        insertion: While they are put back into a blurred picture: (images, steps + 1).
    """

    deletion: Tensor
    insertion: Tensor


def curves(
    net: ViT,
    images: Float[Tensor, "batch channels height width"],
    maps: Float[Tensor, "batch rows columns"],
    classes: Int[Tensor, " batch"],
    seed: int,
) -> Curves:
    """Deletion and insertion curves, patch by patch in the order of the maps.

    A patch that is deleted becomes grey, the mean colour, as in the paper. Insertion begins with the blurred picture,
    also as there; the blur is as wide as a patch (its standard deviation), so that no patch can be told from it.

    Args:
        net: The net, in eval mode.
        images: Normalised pixels, whose grey is 0.
        maps: Of each image; more is more important.
        classes: Whose probability is followed.
        seed: Of the order among equals.
    """
    rows, columns = net.grid
    steps = min(STEPS, rows * columns)
    ranks = _ranks(maps.flatten(1).cpu(), seed).to(images.device)
    counts = (torch.arange(steps + 1, device=images.device) * (rows * columns) / steps).round()
    # of each step, whether a patch is among the first: (batch, steps + 1, rows, columns)
    first = (ranks[:, None] < counts[:, None]).reshape(len(images), steps + 1, rows, columns)
    deletion, insertion = [], []
    for image, blurred, masks, label in zip(images, blur(net, images), first, classes, strict=True):
        changed = _pixels(net, masks)[:, None]
        deletion.append(_probability(net, torch.where(changed, 0, image), label))
        insertion.append(_probability(net, torch.where(changed, image, blurred), label))
    return Curves(torch.stack(deletion).double().cpu(), torch.stack(insertion).double().cpu())


def area(curve: Float[Tensor, "batch steps"]) -> Float[Tensor, " batch"]:
    """The area under curves over the share of the patches, 0 to 1, by the trapezoid rule.

    Args:
        curve: Values at equal steps.
    """
    return torch.trapezoid(curve, dx=1 / (curve.shape[1] - 1), dim=1)


def blur(net: ViT, images: Float[Tensor, "batch channels height width"]) -> Tensor:
    """Gaussian blur whose standard deviation is the side of a patch.

    Args:
        net: Whose patches.
        images: Pixels of any scale.
    """
    channels = images.shape[1]
    for axis, side in ((2, net.patches.patch_size[0]), (3, net.patches.patch_size[1])):
        reach = min(math.ceil(3 * side), images.shape[axis] - 1)
        places = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
        weights = torch.exp(-((places / side) ** 2) / 2)
        kernel = (weights / weights.sum()).expand(channels, 1, -1).unsqueeze(3 if axis == 2 else 2)
        padding = (0, 0, reach, reach) if axis == 2 else (reach, reach, 0, 0)
        images = F.conv2d(F.pad(images, padding, mode="reflect"), kernel, groups=channels)
    return images


def _ranks(maps: Float[Tensor, "batch patches"], seed: int) -> Int[Tensor, "batch patches"]:
    """The place of each patch in the order of importance, the first being 0; equals in a random order."""
    shuffled = torch.randperm(maps.shape[1], generator=torch.Generator().manual_seed(seed))
    order = shuffled[maps[:, shuffled].argsort(dim=1, descending=True, stable=True)]
    return order.argsort(dim=1)


def _pixels(net: ViT, masks: Tensor) -> Tensor:
    """A mask of patches as one of pixels: (steps, height, width)."""
    height, width = net.patches.patch_size
    return masks.repeat_interleave(height, dim=1).repeat_interleave(width, dim=2)


def _probability(net: ViT, images: Tensor, label: Tensor) -> Tensor:
    with torch.no_grad():
        parts = torch.split(images, max(1, TOKENS_AT_ONCE // int(net.tokens)))
        return torch.cat([net(part).softmax(dim=1)[:, label] for part in parts])
