"""Tone: sets of images that come out nearly all black or white, mostly because their white was taken wrongly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vitcli.images.index.listing import Listing
from vitcli.names import counted, printable

# Grey levels that 99 % of the pixels do not exceed, or do not go below. 12 bits taken for 16 end at 15. Of 1,431 photos
# (pets, objects, waste, landscapes) the darkest reached 91 at that share, and the brightest began at 155.
BLACK, WHITE = 16, 239
# what is too many: such a share of all images, or of a class, and no fewer than so many
SHARE, SHARE_OF_CLASS, LEAST = 0.1, 0.5, 3


def blank(
    low: NDArray[np.uint8], high: NDArray[np.uint8], labels: Sequence[str] | NDArray[np.int64]
) -> dict[str, NDArray[np.int64]]:
    """Positions of the images that are nearly black or nearly white, where they are many: by that name.

    Many is a tenth of all or half of a class, and at least three or all. An image is nearly black if 99 % of its pixels
    are at most 16 of 255, and nearly white if they are at least 239. No real photo that was tried is near either.

    Args:
        low: The level that 1 % of an image's pixels do not exceed (facts.tones), for each that can be read.
        high: The level that 99 % of them do not exceed.
        labels: Of each.
    """
    held = np.unique(np.asarray(labels), return_inverse=True)[1]
    sizes = np.bincount(held)
    found = {}
    for name, is_blank in (("nearly black", high <= BLACK), ("nearly white", low >= WHITE)):
        count, by_class = int(is_blank.sum()), np.bincount(held[is_blank], minlength=len(sizes))
        least = max(min(LEAST, len(low)), 1)
        if count >= max(least, SHARE * len(low)) or (by_class >= np.maximum(LEAST, SHARE_OF_CLASS * sizes)).any():
            found[name] = np.flatnonzero(is_blank)
    return found


def told(name: str, count: int, total: int, example: str) -> str:
    """What was found, and what to do, in words.

    Args:
        name: Nearly black or nearly white.
        count: How many of the images are.
        total: How many can be read.
        example: The path of one.
    """
    level = f"at most {BLACK}" if name == "nearly black" else f"at least {WHITE}"
    return (
        f"{count:,} of {counted(total, 'image')}, such as {printable(example)} (99 % of its pixels are {level} of 255);"
        " if files hold more than 8 bits, --model.preprocess.white sets the value of white"
    )


def blank_listed(listings: Sequence[Listing]) -> list[str]:
    """What is told of listings whose files were looked at, a line each for nearly black and nearly white.

    Args:
        listings: Without files that cannot be read.
    """
    files = [listing for listing in listings if len(listing)]
    low, high = [], []
    for listing in files:
        if listing.index is None or listing.rows is None:
            return []
        low.append(listing.index.columns["low"][listing.rows])
        high.append(listing.index.columns["high"][listing.rows])
    if not files:
        return []
    labels = np.concatenate([listing.labels for listing in files])
    starts = np.cumsum([0, *map(len, files)])
    lines = []
    for name, positions in blank(np.concatenate(low), np.concatenate(high), labels).items():
        first = int(positions[0])
        place = int(np.searchsorted(starts, first, side="right")) - 1
        example = files[place].paths[first - int(starts[place])]
        lines.append(f"{name}: {told(name, len(positions), len(labels), example)}")
    return lines
