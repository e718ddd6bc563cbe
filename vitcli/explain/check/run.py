"""check: deletion, insertion and the pointing game for several methods, beside random maps."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from vitcli.errors import ConfigError
from vitcli.explain.check.checked import RANDOM, Checked, Faithfulness, Lead, Located, lead, means
from vitcli.explain.check.deletion import Curves, area, curves
from vitcli.explain.check.drawn import drawn_shapes, knows_shapes
from vitcli.explain.check.pointing import Pointing, expected, point
from vitcli.explain.memory import images_at_once
from vitcli.explain.methods import METHODS, maps_of
from vitcli.net import ViT
from vitcli.preprocess import Preprocess

# drawn pictures of the pointing game
SHAPES = 100
# random maps of each image, whose scores are averaged
DRAWS = 3
# images whose maps are made at once, at most
AT_ONCE = 16
Floats = NDArray[np.float64]
Mapper = Callable[[Tensor, Tensor], Tensor]


def check(
    net: ViT,
    preprocess: Preprocess,
    classes: Sequence[str],
    images: UInt8[Tensor, "batch 3 height width"],
    methods: Sequence[str] = tuple(METHODS),
    *,
    seed: int = 0,
) -> Checked:
    """How true the maps of a net are (Petsiuk et al. 2018, 4.2; Zhang et al. 2016, 4.1).

    Explained is the predicted class of each image. Where all classes are shapes that vitcli can draw, the pointing game
    is played as well, on drawn pictures that no training has seen.

    Args:
        net: The net, in eval mode.
        preprocess: How its images are normalised.
        classes: Of the net.
        images: In the size of the net.
        methods: Names of METHODS.
        seed: Of random maps, drawn pictures and resamples.

    Raises:
        ConfigError: No methods, or an unknown one.
        ValueError: No images.
    """
    if not len(images):
        raise ValueError("no images: maps are checked on one at least")
    if unknown := [name for name in methods if name not in METHODS]:
        raise ConfigError(f"--methods {unknown[0]}: is no method; choose from {', '.join(METHODS)}")
    if not methods:
        raise ConfigError(f"--methods: names none to check; choose from {', '.join(METHODS)}")
    found: dict[str, Curves] = {}
    seconds: dict[str, float] = {}
    for name in methods:
        found[name], seconds[name] = _curves(net, preprocess, images, _method(name, net), seed)
    found[RANDOM], seconds[RANDOM] = _random(net, preprocess, images, seed)
    faithfulness, best = _faithfulness(found, seconds, seed)
    steps = found[RANDOM].deletion.shape[1] - 1
    if not knows_shapes(classes):
        return Checked(len(images), steps, seed, faithfulness, best)
    located, best_located = _located(net, preprocess, classes, methods, seed)
    return Checked(len(images), steps, seed, faithfulness, best, SHAPES, located, best_located)


def _method(name: str, net: ViT) -> Mapper:
    return lambda pixels, labels: maps_of(name, net, pixels, labels)


def _curves(net: ViT, preprocess: Preprocess, images: Tensor, mapper: Mapper, seed: int) -> tuple[Curves, float]:
    """Curves of all images, and the seconds that a map takes."""
    parts, taken = [], 0.0
    for number, batch in enumerate(_batches(net, images)):
        pixels, labels = _asked(net, preprocess, batch)
        begun = time.perf_counter()
        # fetched, so that a GPU has finished it
        maps = mapper(pixels, labels).cpu()
        taken += time.perf_counter() - begun
        parts.append(curves(net, pixels, maps, labels, seed + number))
    deletion, insertion = (torch.cat(part) for part in zip(*parts, strict=True))
    return Curves(deletion, insertion), taken / len(images)


def _random(net: ViT, preprocess: Preprocess, images: Tensor, seed: int) -> tuple[Curves, float]:
    """The mean curves of several random maps an image."""
    generator = torch.Generator().manual_seed(seed)

    def draw(pixels: Tensor, labels: Tensor) -> Tensor:
        return torch.rand(len(pixels), *net.grid, generator=generator)

    drawn = [_curves(net, preprocess, images, draw, seed)[0] for _ in range(DRAWS)]
    deletion, insertion = (torch.stack(part).mean(dim=0) for part in zip(*drawn, strict=True))
    return Curves(deletion, insertion), 0.0


def _faithfulness(
    found: dict[str, Curves], seconds: dict[str, float], seed: int
) -> tuple[tuple[Faithfulness, ...], Lead]:
    areas = {name: [area(curve).numpy() for curve in both] for name, both in found.items()}
    gains: dict[str, Floats] = {name: insertion - deletion for name, (deletion, insertion) in areas.items()}
    rows = []
    for name, (deletion, insertion) in areas.items():
        columns = [deletion, insertion, gains[name], gains[name] - gains[RANDOM]]
        one, other, gain, over = means(np.stack(columns, axis=1), seed)
        curve, back = (tuple(round(share, 6) for share in each.mean(dim=0).tolist()) for each in found[name])
        over_random = None if name == RANDOM else over
        rows.append(Faithfulness(name, one, other, gain, over_random, seconds[name], curve, back))
    return tuple(rows), lead(gains, seed)


def _located(
    net: ViT, preprocess: Preprocess, classes: Sequence[str], methods: Sequence[str], seed: int
) -> tuple[tuple[Located, ...], Lead]:
    shapes = drawn_shapes(preprocess, classes, SHAPES, seed)
    chance = expected(shapes.boxes, net.grid, preprocess.size)
    scores: dict[str, Pointing] = {}
    for name in methods:
        mapper = _method(name, net)
        maps = [mapper(*_asked(net, preprocess, batch)).cpu() for batch in _batches(net, shapes.images)]
        scores[name] = point(torch.cat(maps), shapes.boxes, preprocess.size)
    scores[RANDOM] = chance
    rows = []
    for name, (hit, inside) in scores.items():
        both = means(np.stack([hit.numpy(), inside.numpy()], axis=1), seed)
        rows.append(Located(name, *both))
    return tuple(rows), lead({name: inside.numpy() for name, (_, inside) in scores.items()}, seed)


def _batches(net: ViT, images: Tensor) -> Sequence[Tensor]:
    return torch.split(images, min(AT_ONCE, images_at_once(net)))


def _asked(net: ViT, preprocess: Preprocess, images: Tensor) -> tuple[Tensor, Tensor]:
    """Normalised pixels where the net is, and the classes that it predicts."""
    weight = net.head.weight
    pixels = preprocess.normalise(images.to(weight.device)).to(weight.dtype)
    with torch.no_grad():
        return pixels, net(pixels).argmax(dim=1)
