"""explain: what a net says of images, and a map of each by each method, for the predicted class or any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from vitcli.explain.attention import layer_maps
from vitcli.explain.memory import images_at_once
from vitcli.explain.methods import maps_of
from vitcli.net import ViT
from vitcli.preprocess import Preprocess

Map = NDArray[np.float32]


@final
@dataclass(frozen=True, slots=True)
class Explained:
    """The maps of one image.

    Args:
        maps: By method, float32 (rows, columns) over the grid of patches; more is more important.
        layers: float32 (layers, heads, rows, columns): what the pooled query takes of each patch in every layer and
            head; None where it was not asked for.
    """

    maps: Mapping[str, Map] = field(default_factory=dict)
    layers: Map | None = None


def explain(
    net: ViT,
    preprocess: Preprocess,
    images: UInt8[Tensor, "batch 3 height width"],
    classes: Sequence[int],
    methods: Sequence[str],
    *,
    layers: bool = False,
) -> list[Explained]:
    """The maps of some images, a few at a time: memory is bounded whatever their number.

    Args:
        net: The net, in eval mode.
        preprocess: How its images are normalised.
        images: In the size of the net.
        classes: Of each image, the place of the class whose answer is explained.
        methods: Names of METHODS.
        layers: Whether the maps of all layers and heads are wanted too.

    Raises:
        ConfigError: A method that watches attention, of a backend that has none of vitcli's.
    """
    weight = net.head.weight
    found: list[Explained] = []
    for start in range(0, len(images), at_once := images_at_once(net)):
        few = slice(start, start + at_once)
        pixels = preprocess.normalise(images[few].to(weight.device)).to(weight.dtype)
        labels = torch.tensor(classes[few], device=weight.device)
        maps = {name: _numbers(maps_of(name, net, pixels, labels)) for name in methods}
        each = _numbers(_of_patches(net, layer_maps(net, pixels))) if layers else None
        found += [
            Explained({name: of_all[place] for name, of_all in maps.items()}, None if each is None else each[place])
            for place in range(len(pixels))
        ]
    return found


def _of_patches(net: ViT, tokens: Tensor) -> Tensor:
    """Of all tokens, what the patches have, on their grid."""
    return tokens[..., net.prefix :].reshape(*tokens.shape[:-1], *net.grid)


def _numbers(maps: Tensor) -> Map:
    found: Map = maps.detach().float().cpu().numpy()
    return found
