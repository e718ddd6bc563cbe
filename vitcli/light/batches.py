"""Batches of a listing, decoded by threads while the net computes the one before; memory holds two of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from vitcli.images.decode.encoded import strict
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.decode.pixels import Way
from vitcli.images.index.handed import FEW, Cropped
from vitcli.images.index.listing import Listing
from vitcli.machine.threads import map_some
from vitcli.preprocess import Preprocess


class Batch(NamedTuple):
    """Some images of a listing.

    Args:
        positions: Their places in it.
        read: The crop of each, or why it cannot be read.
    """

    positions: Sequence[int]
    read: list[Cropped]


def batches(
    listing: Listing, positions: Sequence[int], preprocess: Preprocess, batch_size: int, threads: int, max_pixels: int
) -> Iterator[Batch]:
    """The images of some positions, batch by batch, in their order.

    Args:
        listing: All images.
        positions: Those that are wanted.
        preprocess: What of each enters the net.
        batch_size: Images of a batch.
        threads: How many decode.
        max_pixels: Larger images are not decoded.
    """
    way = Way.of(preprocess)

    def look(position: int) -> Cropped:
        try:
            picture = listing.open(position)
            size = picture.height, picture.width
            return Cropped(picture.crop(preprocess.region(*size), way), size)
        except UnreadableImage as error:
            return Cropped(None, reason=str(error))

    parts = [positions[at : at + batch_size] for at in range(0, len(positions), batch_size)]
    pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
    try:
        with strict(max_pixels):
            ahead = map_some(pool, threads, look, parts[0], FEW) if parts else iter(())
            for number, part in enumerate(parts):
                read = list(ahead)
                if number + 1 < len(parts):
                    # begun before this one is computed
                    ahead = map_some(pool, threads, look, parts[number + 1], FEW)
                yield Batch(part, read)
    finally:
        # after an error or Ctrl-C, what is still to be decoded is not waited for
        pool.shutdown(cancel_futures=True)
