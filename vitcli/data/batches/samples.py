"""Samples (a Dataset): the key of a batch -> its decoded and cropped images, labels and read errors, collated."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, NotRequired, TypedDict, final

import torch
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from vitcli.data.augment.augment import Augment, Chance
from vitcli.data.augment.device import Chances, gather
from vitcli.data.augment.policy import vary
from vitcli.data.batches.order import BatchKey, Spot
from vitcli.images.decode.encoded import MAX_PIXELS, strict
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.decode.pixels import Rgb, Way
from vitcli.images.index.listing import FileOpener, Listing
from vitcli.machine.threads import map_some
from vitcli.preprocess import Preprocess

# most samples in one task of a thread: submitting a task takes as long as cropping a cached copy
FEW = 4


class Batch(TypedDict):
    """What one step sees; samples that could not be read are in ``errors`` and in no tensor.

    Args:
        image: uint8 (batch, 3, height, width), or float32 of 0 to 255 after a change of colour; may be empty.
        label: int64 (batch,), position in the classes, -1 where unknown.
        index: int64 (batch,), position in the listing.
        size: int64 (batch, 2), upright height and width of the original picture in pixels.
        errors: Position in the listing and short reason of every sample that could not be read.
        chances: Augmentation drawn for the pictures of training, until it is applied.
        target: float32 (batch, classes), the share of each class where pictures were mixed.
    """

    image: Tensor
    label: Tensor
    index: Tensor
    size: Tensor
    errors: list[tuple[int, str]]
    chances: NotRequired[Chances]
    target: NotRequired[Tensor]


class Sample(NamedTuple):
    """A picture on its way into a batch; ``pixels`` is uint8 (3, height, width)."""

    pixels: Rgb
    position: int
    size: tuple[int, int]
    chance: Chance | None = None


class Unreadable(NamedTuple):
    """A sample that could not be read, and why."""

    position: int
    reason: str


def sample_rng(seed: int, epoch: int, index: int, copy: int = 0) -> random.Random:
    """The random numbers of one sample in one epoch: independent of workers, processes and other samples."""
    return random.Random(digest(seed, epoch, index, copy))


def digest(*numbers: int) -> int:
    """A 64-bit number that no two series of numbers are likely to share."""
    return int.from_bytes(hashlib.blake2b(repr(numbers).encode(), digest_size=8).digest(), "big") >> 1


@final
class Samples(Dataset[Batch]):
    """Dataset of batches: their key -> pictures in the size of the net, and why some cannot be read.

    Args:
        listing: The samples of a split.
        preprocess: Size, interpolation, and the crop of evaluation.
        augment: Random augmentation; None for evaluation.
        seed: Seed of the run.
        rank: This process.
        world: Number of processes.
        max_pixels: Images of more pixels are not decoded.
        threads: How many pictures are read at once.
    """

    def __init__(
        self,
        listing: Listing,
        preprocess: Preprocess,
        augment: Augment | None,
        seed: int,
        *,
        rank: int = 0,
        world: int = 1,
        max_pixels: int = MAX_PIXELS,
        threads: int = 1,
    ) -> None:
        self.listing = listing
        self.preprocess = preprocess
        self.augment = augment
        self.seed = seed
        self.rank = rank
        self.world = world
        self.max_pixels = max_pixels
        self.threads = threads
        self._way = Way.of(preprocess)
        self._pool: ThreadPoolExecutor | None = None

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_pool": None}

    def __len__(self) -> int:
        return len(self.listing)

    @property
    def is_far(self) -> bool:
        """Whether the pictures lie in an object store."""
        return isinstance(self.listing.open, FileOpener) and self.listing.open.is_far

    def __getitem__(self, key: BatchKey) -> Batch:
        """The batch of a key; in training, the augmentation drawn for it is still to be applied."""
        opener = self.listing.open
        if key.ahead and isinstance(opener, FileOpener):
            opener.ahead(key.ahead)
        # channels last, as decoders write them: separating the channels costs a third of a crop
        image = _empty(len(key.spots), *self.preprocess.size, 3)
        rows = image.permute(0, 3, 1, 2).numpy()

        def fill(place: tuple[int, Spot]) -> Sample | Unreadable:
            row, spot = place
            sample = self.look_up(key.epoch, spot)
            if isinstance(sample, Sample):
                rows[row] = sample.pixels
            return sample

        with strict(self.max_pixels):
            looked_up = list(self._map(fill, list(enumerate(key.spots))))
        read = [sample for sample in looked_up if isinstance(sample, Sample)]
        if len(read) < len(looked_up):
            image = image[[isinstance(sample, Sample) for sample in looked_up]]
        positions = torch.tensor([sample.position for sample in read], dtype=torch.int64)
        batch = Batch(
            image=image.permute(0, 3, 1, 2),
            label=torch.from_numpy(self.listing.labels[positions.numpy()]),
            index=positions,
            size=torch.tensor([sample.size for sample in read], dtype=torch.int64).view(-1, 2),
            errors=[(sample.position, sample.reason) for sample in looked_up if isinstance(sample, Unreadable)],
        )
        if self.augment is not None:
            chances = [sample.chance for sample in read if sample.chance is not None]
            # by the share of its step, which is another process's where there are fewer
            share = key.number * self.world + self.rank
            batch["chances"] = gather(chances, digest(self.seed, key.epoch, share, 0))
        return batch

    def look_up(self, epoch: int, spot: Spot) -> Sample | Unreadable:
        """A picture in the size of the net, or why there is none."""
        try:
            picture = self.listing.open(spot.position)
            size = picture.height, picture.width
            if self.augment is None:
                planes = picture.crop(self.preprocess.region(*size), self._way)
                return Sample(planes, spot.position, size)
            rng = sample_rng(self.seed, epoch, spot.position, spot.copy)
            region = self.augment.region(*size, self.preprocess, rng)
            # training images were inspected before, so decoding may stop below the crop
            planes = picture.crop(region, self._way, to_the_end=False)
        except UnreadableImage as error:
            return Unreadable(spot.position, str(error))
        if self.augment.policy != "none":
            planes = vary(planes, self.augment.policy, self.augment.magnitude, rng, self.preprocess.fill)
        return Sample(planes, spot.position, size, self.augment.chance(rng))

    def close(self) -> None:
        """Ends the threads; the next batch starts new ones."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def _map(
        self, function: Callable[[tuple[int, Spot]], Sample | Unreadable], places: Sequence[tuple[int, Spot]]
    ) -> Iterator[Sample | Unreadable]:
        if self.threads == 1:
            return map(function, places)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="decode")
        return map_some(self._pool, self.threads, function, places, FEW)


def _empty(*shape: int) -> Tensor:
    """Room for the pictures of a batch, uint8; of a worker's, where the process that takes it sees it uncopied."""
    if get_worker_info() is None:
        return torch.empty(shape, dtype=torch.uint8)
    # as torch's own default_collate does
    shared = torch.UntypedStorage._new_shared(math.prod(shape))  # type: ignore[no-untyped-call]
    return torch.empty(0, dtype=torch.uint8).set_(shared).view(shape)
