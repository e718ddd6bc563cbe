"""What is one sample, and what is a batch of them?"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from vitcli.data.augment import Augment
from vitcli.data.images import UnreadableImage
from vitcli.data.listing import Listing
from vitcli.data.order import Key
from vitcli.preprocess import Preprocess


class Batch(TypedDict):
    """What one step sees; samples that could not be read are in ``errors`` and in no tensor.

    Args:
        image: uint8 (batch, 3, height, width); the batch may be empty.
        label: int64 (batch,), position in the classes, -1 where unknown.
        index: int64 (batch,), position in the listing.
        size: int64 (batch, 2), upright height and width of the original picture in pixels.
        errors: Position in the listing and short reason of every sample that could not be read.
    """

    image: Tensor
    label: Tensor
    index: Tensor
    size: Tensor
    errors: list[tuple[int, str]]


@final
@dataclass(frozen=True, slots=True)
class Sample:
    """A picture on its way into a batch; ``pixels`` is uint8 (height, width, 3)."""

    pixels: NDArray[np.uint8]
    label: int
    index: int
    size: tuple[int, int]


@final
@dataclass(frozen=True, slots=True)
class Unreadable:
    """A sample that could not be read, and why."""

    index: int
    reason: str


def sample_rng(seed: int, epoch: int, index: int) -> random.Random:
    """The random numbers of one sample in one epoch: no worker, process or neighbour has a part in them."""
    digest = hashlib.sha256(f"{seed}:{epoch}:{index}".encode()).digest()
    return random.Random(int.from_bytes(digest, "big"))


@final
class Samples(Dataset[Sample | Unreadable]):
    """Looks samples up: (epoch, index) -> a picture in the size of the net, or why there is none.

    Args:
        listing: The samples of a split.
        preprocess: The deterministic way into the net.
        augment: The random way into the net; None for evaluation.
        seed: Seed of the run.
    """

    def __init__(self, listing: Listing, preprocess: Preprocess, augment: Augment | None, seed: int) -> None:
        self.listing = listing
        self.preprocess = preprocess
        self.augment = augment
        self.seed = seed

    def __len__(self) -> int:
        return len(self.listing)

    def __getitem__(self, key: Key) -> Sample | Unreadable:
        epoch, index = key
        try:
            image = self.listing.open(index)
        except UnreadableImage as error:
            return Unreadable(index, str(error))
        if self.augment is None:
            entering = self.preprocess(image)
        else:
            rng = sample_rng(self.seed, epoch, index)
            entering = self.augment(image, self.preprocess.size, self.preprocess.interpolation, rng)
        return Sample(np.asarray(entering), self.listing.labels[index], index, (image.height, image.width))


@final
class Collate:
    """Joins samples into a batch; knows the size of a picture, so that an empty batch has a shape as well.

    Args:
        size: Height and width of a picture in pixels.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size

    def __call__(self, samples: Sequence[Sample | Unreadable]) -> Batch:
        """The samples that could be read as tensors, and the others as errors."""
        read = [sample for sample in samples if isinstance(sample, Sample)]
        image = torch.empty((len(read), 3, *self.size), dtype=torch.uint8)
        for row, sample in zip(image, read, strict=True):
            row.copy_(torch.from_numpy(sample.pixels.copy()).permute(2, 0, 1))
        return Batch(
            image=image,
            label=torch.tensor([sample.label for sample in read], dtype=torch.int64),
            index=torch.tensor([sample.index for sample in read], dtype=torch.int64),
            size=torch.tensor([sample.size for sample in read], dtype=torch.int64).view(-1, 2),
            errors=[(sample.index, sample.reason) for sample in samples if isinstance(sample, Unreadable)],
        )
