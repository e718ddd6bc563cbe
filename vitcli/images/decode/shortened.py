"""Shortened JPEG: a header that gives fewer rows, at which a decoder stops below the crop."""

from __future__ import annotations

from typing import NamedTuple

# markers of sequential frames, whose rows follow one another in the file, in Huffman code (ITU-T T.81, table B.1)
SEQUENTIAL = (0xC0, 0xC1)
# markers of all other kinds of frames
OTHERS = (0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
SCAN = 0xDA
# pixels a side of a block
BLOCK = 8


class Shortened(NamedTuple):
    """A JPEG whose header gives fewer rows than its data has.

    All rows are those of the whole picture but the last one, which is computed without the colours below it.

    Args:
        content: The bytes; after the last row the data goes on, which decoders report as extraneous bytes.
        rows: How many there are, in whole blocks of the scan.
    """

    content: bytes
    rows: int


def shortened(content: bytes, stored: tuple[int, int], rows: int) -> Shortened | None:
    """A JPEG of about so many rows, or None where that saves nothing or cannot be done.

    It can be done where all colours are in one scan, row by row: nearly always, but for progressive files.

    Args:
        content: The bytes.
        stored: Width and height that the header gives.
        rows: How many are wanted, from the top.
    """
    at, frame = 2, 0
    while content[at : at + 1] == b"\xff" and len(content) > at + 4:
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4])
        if marker == SCAN:
            return _shortened(content, frame, at, stored, rows) if frame else None
        if marker in OTHERS or (marker in SEQUENTIAL and frame):
            return None
        if marker in SEQUENTIAL:
            frame = at
        at += 2 + length
    return None


def _shortened(content: bytes, frame: int, scan: int, stored: tuple[int, int], rows: int) -> Shortened | None:
    # the frame's header: marker, length, precision, height, width, how many colours, and 3 bytes of each, of which the
    # second is its blocks across and down in what the scan takes at once; the scan's: marker, length, how many colours
    height, width = (int.from_bytes(content[frame + start : frame + start + 2]) for start in (5, 7))
    colours = content[frame + 9]
    step = BLOCK * max((content[frame + 11 + 3 * colour] & 15 for colour in range(colours)), default=0)
    if (width, height) != stored or content[scan + 4] != colours or not step:
        return None
    # one step more, for the colours below the last row
    fewer = (-(-rows // step) + 1) * step
    if fewer >= height:
        return None
    return Shortened(b"".join([content[: frame + 5], fewer.to_bytes(2), content[frame + 7 :]]), fewer)
