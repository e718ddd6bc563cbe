"""The methods by name, each from images and classes to a map over the patches."""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float, Int
from torch import Tensor

from vitcli.explain.attention import attention, rollout
from vitcli.explain.pixels import gradients, occlusion
from vitcli.explain.readout import on_patches
from vitcli.explain.relevance import relevance
from vitcli.net import ViT

# those that are shown unless others are asked for, the truest first (docs/results.md)
SHOWN = ("relevance", "attention", "rollout")
METHODS: dict[str, Callable[[ViT, Tensor, Tensor], Tensor]] = {
    "attention": attention,
    "rollout": rollout,
    "relevance": relevance,
    "gradients": gradients,
    "occlusion": occlusion,
}


def maps_of(
    method: str, net: ViT, images: Float[Tensor, "batch channels height width"], classes: Int[Tensor, " batch"]
) -> Float[Tensor, "batch rows columns"]:
    """A map of each image over the grid of patches; more is more important.

    Args:
        method: A name of METHODS.
        net: The net, in eval mode.
        images: Normalised pixels.
        classes: Which class's answer is explained; attention and rollout do not depend on it.
    """
    found = METHODS[method](net, images, classes)
    return on_patches(net, found) if found.dim() == 2 else found
