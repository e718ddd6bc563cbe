"""Augmentation of a whole batch, on the device: flip, colour jitter, random erasing, MixUp and CutMix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from vitcli.data.augment.augment import Augment, Chance
from vitcli.preprocess import constant

# weights of red, green and blue in grey, as in Pillow and torchvision (ITU-R 601-2)
GREY = (0.299, 0.587, 0.114)


class Chances(NamedTuple):
    """Random draws for the pictures of a batch.

    Args:
        mirror: bool (batch, 2), left and right, top and bottom.
        colour: float32 (batch, 3), what brightness, contrast and saturation are multiplied by.
        erased: float32 (batch, 4), top, left, bottom and right edge as fractions of the sides; all 0 for none.
        seed: Seed of the draws for the batch as a whole.
    """

    mirror: Tensor
    colour: Tensor
    erased: Tensor
    seed: int


def gather(chances: list[Chance], seed: int) -> Chances:
    """The chances of all pictures as tensors."""
    return Chances(
        torch.tensor([chance.mirror for chance in chances], dtype=torch.bool).view(-1, 2),
        torch.tensor([chance.colour for chance in chances], dtype=torch.float32).view(-1, 3),
        torch.tensor([chance.erased for chance in chances], dtype=torch.float32).view(-1, 4),
        seed,
    )


def vary(images: Tensor, chances: Chances, augment: Augment, fill: tuple[int, int, int]) -> Tensor:
    """Mirror, colour and erase: uint8 (batch, 3, height, width) -> the same shape, as float32 where colours change.

    Args:
        images: Pixels, 0 to 255; on a CPU they are mirrored in place.
        chances: What was drawn.
        augment: Which of it is applied at all.
        fill: Colour of what is erased.
    """
    for side, axis in enumerate((3, 2)):
        if (augment.flip, augment.flip_vertical)[side]:
            images = _mirrored(images, chances.mirror[:, side], axis)
    if augment.colour:
        images = _coloured(images.float(), chances.colour)
    if augment.erase:
        images = _erased(images, chances.erased, fill)
    return images


def _mirrored(images: Tensor, chosen: Tensor, axis: int) -> Tensor:
    if images.device.type != "cpu":
        return torch.where(chosen.view(-1, 1, 1, 1), images.flip(axis), images)
    # in place, one by one: torch.where takes ten times as long for bytes, and a copy of the batch 1 ms more
    with _one_thread():
        for position in chosen.nonzero().flatten().tolist():
            images[position] = images[position].flip(axis - 1)
    return images


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep torch's other threads asleep.

    An image is mirrored in 20 us. Threads that helped would then spin for as long as a batch takes to be cropped, on
    the cores that crop it: from a cache, batches come 1.4 times as fast without them.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _coloured(images: Tensor, factors: Tensor) -> Tensor:
    brightness, contrast, saturation = (factor.view(-1, 1, 1, 1) for factor in factors.unbind(1))
    images = (images * brightness).clamp_(0, 255)
    middle = _grey(images).mean(dim=(2, 3), keepdim=True)
    images = torch.lerp(middle, images, contrast).clamp_(0, 255)
    return torch.lerp(_grey(images), images, saturation).clamp_(0, 255)


def _grey(images: Tensor) -> Tensor:
    return (images * constant(GREY, images).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)


def _erased(images: Tensor, edges: Tensor, fill: tuple[int, int, int]) -> Tensor:
    height, width = images.shape[2:]
    down = (torch.arange(height, device=images.device) + 0.5) / height
    across = (torch.arange(width, device=images.device) + 0.5) / width
    top, left, bottom, right = (edge[:, None] for edge in edges.unbind(1))
    rows, columns = (down >= top) & (down < bottom), (across >= left) & (across < right)
    colour = constant(fill, images).view(1, 3, 1, 1)
    return torch.where((rows[:, :, None] & columns[:, None, :])[:, None], colour, images)


def mix(images: Tensor, labels: Tensor, classes: int, seed: int, augment: Augment) -> tuple[Tensor, Tensor]:
    """Blend or paste each picture with its neighbour: images and the share of each class, float32 (batch, classes).

    torchvision's MixUp and CutMix, of which a batch takes one.

    Args:
        images: Pixels, 0 to 255.
        labels: int64 (batch,).
        classes: Number of classes.
        seed: Where every random number comes from.
        augment: How strongly.
    """
    if len(labels) < 2:
        return images, F.one_hot(labels, classes).float()
    from torchvision.transforms import v2  # type: ignore[import-untyped]

    ways: list[Any] = []
    if augment.mixup:
        ways.append(v2.MixUp(alpha=float(augment.mixup), num_classes=classes))
    if augment.cutmix:
        ways.append(v2.CutMix(alpha=float(augment.cutmix), num_classes=classes))
    with torch.random.fork_rng(devices=()):
        torch.default_generator.manual_seed(seed)
        way = ways[int(torch.randint(len(ways), ()))]
        mixed, shares = way(images.float(), labels)
    return mixed, shares
