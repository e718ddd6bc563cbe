"""Near-duplicates: images that differ only in encoding, size or brightness, by their perceptual hash."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from vitcli.images.decode.encoded import strict
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.index.facts import thumbnail
from vitcli.images.source.source import Source

# Two pictures may differ in so many of their 128 hash bits (facts.looks); another size, encoding or brightness changed
# up to 8 in 500 photos, and no two of 100 unrelated ones were closer than 37. It is less than there are bands, so at
# least one band of 8 bits is the same: candidates are found by sorting, a sixteenth of all pairs.
MOST_BITS = 12
BANDS = 16
# correlation of two thumbnails; of those 500 it was .982 or more, of the unrelated ones .79 or less
ALIKE = 0.95
CHUNK = 1 << 20

BITS = np.array([bin(value).count("1") for value in range(256)], dtype=np.uint8)


def alike_pairs(
    first: NDArray[np.uint8],
    second: NDArray[np.uint8] | None,
    paths: Sequence[Sequence[str]],
    source: Source,
    max_pixels: int,
    white: int | None,
) -> list[tuple[int, int]]:
    """Pairs of one picture of each set that are alike, or of two pictures of one set, by their positions.

    Args:
        first: Hashes of the first set (facts.looks), uint8 (pictures, 16).
        second: Of the second; None compares the first with itself.
        paths: Of each set, to compare the pictures themselves.
        source: Where they lie.
        max_pixels: Images of more pixels are not decoded.
        white: The value of white in pictures of more than 8 bits; None for what the file says.
    """
    own: dict[int, NDArray[np.float32] | None] = {}
    kept = (own, own if second is None else {})
    paths = (*paths, paths[0]) if second is None else paths

    def small(side: int, position: int) -> NDArray[np.float32] | None:
        if position not in kept[side]:
            try:
                kept[side][position] = _standard(thumbnail(source.read(paths[side][position]), max_pixels, white))
            except UnreadableImage:
                kept[side][position] = None
        return kept[side][position]

    pairs = []
    with strict(max_pixels):
        for a, b in sorted({pair for chunk in _candidates(first, second) for pair in chunk}):
            one, other = small(0, a), small(1, b)
            if one is not None and other is not None and float((one * other).mean()) >= ALIKE:
                pairs.append((a, b))
    return pairs


def joined(pairs: list[tuple[int, int]]) -> list[list[int]]:
    """Pairs that share a picture as one group."""
    group_of: dict[int, list[int]] = {}
    for pair in pairs:
        merged = sorted({member for place in pair for member in group_of.get(place, [place])})
        group_of |= dict.fromkeys(merged, merged)
    return list({id(group): group for group in group_of.values()}.values())


def _candidates(first: NDArray[np.uint8], other: NDArray[np.uint8] | None) -> Iterator[list[tuple[int, int]]]:
    second = first if other is None else other
    for band in range(BANDS):
        order = np.argsort(first[:, band], kind="stable")
        values = first[order, band]
        starts = np.searchsorted(values, second[:, band], side="left")
        lengths = np.searchsorted(values, second[:, band], side="right") - starts
        ends = np.cumsum(lengths)
        for low in range(0, int(ends[-1]) if len(ends) else 0, CHUNK):
            place = np.arange(low, min(low + CHUNK, int(ends[-1])))
            b = np.searchsorted(ends, place, side="right")
            a = order[starts[b] + place - (ends[b] - lengths[b])]
            near = BITS[first[a] ^ second[b]].sum(axis=1) <= MOST_BITS
            if other is None:
                near &= a < b
            yield list(zip(a[near].tolist(), b[near].tolist(), strict=True))


def _standard(grey: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """A thumbnail of mean 0 and deviation 1; None for a picture of a single shade, which equals any other such."""
    deviation = float(grey.std())
    return (grey - grey.mean()) / np.float32(deviation) if deviation > 2 else None
