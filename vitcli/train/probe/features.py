"""Features of a listing: what the head may see of each image, computed once without augmentation, and kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from vitcli.answers.answer import normalised
from vitcli.answers.in_parts import in_parts
from vitcli.data.batches.order import BatchKey, Spot
from vitcli.data.batches.samples import Samples
from vitcli.errors import WeightsError
from vitcli.net import ViT
from vitcli.net.transformer.stack import Stack
from vitcli.net.vit import Pool
from vitcli.preprocess import Preprocess
from vitcli.train.probe.kept import KeptRows
from vitcli.train.probe.sight import Sight

# pixels of a batch; the same whatever the batch size of training is, so that the numbers are
BATCH_PIXELS = 64 * 224 * 224
# of all features that are held at once; of more, the head sees the last layer alone
MOST_BYTES = 2**30
# numbers of last layers that the head may see, as in the linear probes of DINO (Caron et al. 2021)
DEPTHS = (1, 2, 4)
NO_NUMBERS = (
    "what the net makes of the images is not a number, so that no head can be found; the weights that it begins with "
    "are damaged, or --trainer.precision is too low for them"
)


@final
class Extractor:
    """A net as a source of features: each single pool of each of the last layers once, from which all sights are made.

    Args:
        net: The net, on its device.
        preprocess: How its images are normalised.
        sights: What the head may see.
        mirror: Whether the mirror image of each image is seen too.
        precision: Within which the net is called.
    """

    def __init__(
        self,
        net: ViT,
        preprocess: Preprocess,
        sights: Sequence[Sight],
        *,
        mirror: bool = False,
        precision: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._net = net
        self.preprocess = preprocess
        self.sights = tuple(sights)
        self.views = 2 if mirror else 1
        self._precision = precision
        self._layers = max(sight.layers for sight in sights)
        self._pools = tuple(dict.fromkeys(pool for sight in sights for pool in _parts(sight.pool)))
        self._wide = net.dim * self._layers
        self.width = self._wide * len(self._pools)

    def of(self, images: Tensor) -> NDArray[np.float32]:
        """uint8 (batch, 3, height, width) -> float32 (batch, views, width)."""
        images = images.to(self._net.head.weight.device)
        views = [images, images.flip(3)][: self.views]
        with torch.inference_mode(), self._precision():
            return torch.stack([self._of_view(view) for view in views], dim=1).cpu().numpy()

    def seen(self, rows: NDArray[np.float32]) -> dict[Sight, NDArray[np.float32]]:
        """Rows (images, views, width) -> what each sight is of them, as the net's head sees it."""
        dim, found = self._net.dim, {}
        for sight in self.sights:
            parts = []
            for pool in _parts(sight.pool):
                end = self._wide * (self._pools.index(pool) + 1)
                parts.append(rows[:, :, end - dim * sight.layers : end])
            found[sight] = np.concatenate(parts, axis=2) if len(parts) > 1 else parts[0]
        return found

    def _of_view(self, images: Tensor) -> Tensor:
        net = self._net
        with _seeing(net, Sight(net.pool, self._layers)):
            tokens = in_parts(lambda part: net.features(normalised(net, self.preprocess, part)), net, images)
            pooled = []
            for pool in self._pools:
                net.pool = pool
                pooled.append(net.pooled(tokens).float())
        return torch.cat(pooled, dim=1)


def sights_of(net: ViT, images: int, *, mirror: bool) -> tuple[Sight, ...]:
    """What the head of a net may see without weights that the net does not have; as it is set comes first.

    Args:
        net: The net.
        images: How many there are: of very many, only the last layer is looked at.
        mirror: Whether each has two rows.
    """
    own = Sight(net.pool, net.head_layers)
    if net.pool == "attention":
        return (own,)
    pools: tuple[Pool, ...] = ("mean",)
    if net.class_token is not None:
        pools = ("cls", "cls_mean")
    held = 4 * net.dim * images * (2 if mirror else 1) * len(pools)
    depth = net.backend.depth if isinstance(net.backend, Stack) else 1
    depths = [layers for layers in DEPTHS if layers == 1 or (layers <= depth and held * layers <= MOST_BYTES)]
    return (own, *(Sight(pool, layers) for layers in depths for pool in pools if Sight(pool, layers) != own))


def _parts(pool: Pool) -> tuple[Pool, ...]:
    return ("cls", "mean_patches") if pool == "cls_mean" else (pool,)


def features_of(
    samples: Samples, positions: Sequence[int], extractor: Extractor, kept: KeptRows, *, says: bool
) -> NDArray[np.float32]:
    """The features of some samples, in their order: float32 (positions, views, width); nan where one is unreadable.

    Args:
        samples: Without augmentation.
        positions: In the listing.
        extractor: The net.
        kept: What an earlier start has computed, and where the rest goes.
        says: Whether a bar shows how far it is.

    Raises:
        WeightsError: The net makes nan or inf of an image.
    """
    height, width = extractor.preprocess.size
    size = max(1, BATCH_PIXELS // (height * width))
    rows = np.full((len(positions), extractor.views, extractor.width), np.nan, dtype=np.float32)
    begun = kept.take(rows, size)
    bar = tqdm(
        total=len(positions),
        initial=begun,
        desc="features once",
        unit=" images",
        disable=None if says else True,
        leave=False,
    )
    with bar:
        for start in range(begun, len(positions), size):
            batch = positions[start : start + size]
            coming = positions[start : start + 2 * size]
            read = samples[BatchKey(0, 0, [Spot(position) for position in batch], ahead=coming)]
            if len(read["index"]):
                place = {position: row for row, position in enumerate(batch, start)}
                found = extractor.of(read["image"])
                if not np.isfinite(found).all():
                    raise WeightsError(NO_NUMBERS)
                rows[[place[position] for position in read["index"].tolist()]] = found
            kept.add(rows[start : start + len(batch)])
            bar.update(len(batch))
    kept.finish()
    return rows


@contextmanager
def _seeing(net: ViT, sight: Sight) -> Iterator[None]:
    """Within this, the net looks so at its tokens; its head fits the sight that it had before."""
    before = Sight(net.pool, net.head_layers)
    try:
        net.pool, net.head_layers = sight
        yield
    finally:
        net.pool, net.head_layers = before
