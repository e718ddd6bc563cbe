"""The pointing game (Zhang et al. 2016) and the share of relevance inside the box of a shape whose place is known."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

Boxes = Float[Tensor, "batch 4"]


class Pointing(NamedTuple):
    """How maps and boxes agree, an image each.

    Args:
        hit: 1 where the middle of the patch that matters most lies in the box, else 0; a share among equals.
        inside: Of all that speaks for the class (what is above zero), the share inside the box, in [0, 1].
    """

    hit: Tensor
    inside: Tensor


def point(maps: Float[Tensor, "batch rows columns"], boxes: Boxes, size: tuple[int, int]) -> Pointing:
    """Pointing game and share inside, of maps over the patches.

    A patch that the box cuts counts by the share of its area inside. A map with nothing above zero says nothing: of it,
    the box has the share that it has of the picture.

    Args:
        maps: More is more important.
        boxes: Left, top, right and bottom edge in pixels.
        size: Height and width of the pictures in pixels.
    """
    maps = maps.double().cpu()
    covered, middles = _covered(boxes, maps.shape[1:], size), _middles(boxes, maps.shape[1:], size)
    most = (maps == maps.amax(dim=(1, 2), keepdim=True)).double()
    hit = (most * middles).sum(dim=(1, 2)) / most.sum(dim=(1, 2))
    positive = maps.clamp_min(0)
    total = positive.sum(dim=(1, 2))
    inside = (positive * covered).sum(dim=(1, 2)) / total.clamp_min(torch.finfo(torch.float64).tiny)
    return Pointing(hit, torch.where(total > 0, inside, covered.mean(dim=(1, 2))))


def expected(boxes: Boxes, grid: tuple[int, int], size: tuple[int, int]) -> Pointing:
    """What a random map has in the mean: the share of the patches, and of the picture, that are in the box.

    Args:
        boxes: Left, top, right and bottom edge in pixels.
        grid: Rows and columns of patches.
        size: Height and width of the pictures in pixels.
    """
    return Pointing(_middles(boxes, grid, size).mean(dim=(1, 2)), _covered(boxes, grid, size).mean(dim=(1, 2)))


def _covered(boxes: Boxes, grid: tuple[int, ...], size: tuple[int, int]) -> Float[Tensor, "batch rows columns"]:
    """The share of each patch's area inside the box."""
    down, across = (_overlap(boxes[:, axis], boxes[:, axis + 2], grid[1 - axis], size[1 - axis]) for axis in (1, 0))
    return down[:, :, None] * across[:, None, :]


def _overlap(low: Tensor, high: Tensor, patches: int, side: int) -> Tensor:
    """Of each patch along an axis, the share between two edges: (batch, patches)."""
    length = side / patches
    starts = torch.arange(patches, dtype=torch.float64) * length
    ends = torch.minimum(starts + length, high.double()[:, None])
    return (ends - torch.maximum(starts, low.double()[:, None])).clamp_min(0) / length


def _middles(boxes: Boxes, grid: tuple[int, ...], size: tuple[int, int]) -> Float[Tensor, "batch rows columns"]:
    """1 for each patch whose middle is in the box."""
    found = []
    for axis in (1, 0):
        patches, side = grid[1 - axis], size[1 - axis]
        middles = (torch.arange(patches, dtype=torch.float64) + 0.5) * side / patches
        low, high = boxes[:, axis, None].double(), boxes[:, axis + 2, None].double()
        found.append(((middles >= low) & (middles <= high)).double())
    return found[0][:, :, None] * found[1][:, None, :]
