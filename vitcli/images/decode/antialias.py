"""Antialiased resampling (bilinear, bicubic) of bytes in NumPy, bit for bit as torch does it on a CPU.

torch's kernel for uint8 (``upsample_antialias`` in ATen's UpSampleKernel.cpp, after Pillow's Resample.c) gives every
output pixel a window of input pixels, with weights as int16 of a common number of fractional bits, and rounds behind
each axis, the width first. The same sums are made here as products with band matrices of float64, which hold them
exactly.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vitcli.preprocess import Interpolation

# pixels of input that the windows of a block of output span at most, about: more of the matrix would be zeros
SPAN = 64
# values of a strip of rows that are float64 at once: as many as stay in a core's cache, however large the picture is
STRIP = 2**18
# fractional bits of the weights, at most, and of an int16
MOST_BITS, INT16_BITS = 22, 15


class Block(NamedTuple):
    """Some neighbouring pixels of the output along one side, and what of the input they are made of.

    Args:
        at: The first of them.
        to: Behind the last of them.
        start: The first pixel of the input that they need.
        stop: Behind the last one.
        weights: float64 (to - at, stop - start).
    """

    at: int
    to: int
    start: int
    stop: int
    weights: NDArray[np.float64]


def antialiased(pixels: NDArray[np.uint8], size: tuple[int, int], interpolation: Interpolation) -> NDArray[np.uint8]:
    """All of some pixels in another size: uint8 (height, width, 3) -> (3, height, width).

    Args:
        pixels: Of any strides.
        size: Height and width of the result in pixels.
        interpolation: bilinear or bicubic.
    """
    height, width = pixels.shape[:2]
    planes = pixels.transpose(2, 0, 1)
    if width != size[1]:
        planes = _widened(planes, blocks(width, size[1], interpolation), size[1])
    if height != size[0]:
        result = np.empty((3, *size), dtype=np.uint8)
        for block in blocks(height, size[0], interpolation):
            inner = planes[:, block.start : block.stop].astype(np.float64)
            result[:, block.at : block.to] = _rounded(block.weights @ inner)
        planes = result
    return planes


def _widened(planes: NDArray[np.uint8], across: tuple[Block, ...], width: int) -> NDArray[np.uint8]:
    """Planes (3, height, width) of another width, strip by strip."""
    height = planes.shape[1]
    result = np.empty((3, height, width), dtype=np.uint8)
    rows = max(1, STRIP // (3 * planes.shape[2]))
    for top in range(0, height, rows):
        strip = planes[:, top : top + rows].astype(np.float64)
        sums = np.empty((*strip.shape[:2], width))
        for block in across:
            np.matmul(strip[:, :, block.start : block.stop], block.weights.T, out=sums[:, :, block.at : block.to])
        result[:, top : top + rows] = _rounded(sums)
    return result


def _rounded(sums: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The nearest bytes; of a half, the larger one."""
    sums += 0.5
    return np.clip(sums, 0, 255, out=sums).astype(np.uint8)


@lru_cache(maxsize=64)
def blocks(length: int, wanted: int, interpolation: Interpolation) -> tuple[Block, ...]:
    """What makes one side of a picture longer or shorter.

    Args:
        length: Pixels that the side has.
        wanted: Pixels that it shall have.
        interpolation: bilinear or bicubic.
    """
    scale = length / wanted
    reach = (1.0 if interpolation == "bilinear" else 2.0) * max(scale, 1.0)
    # torch rounds the reach to float32 here
    most = 2 * math.ceil(np.float32(reach)) + 1
    centres = scale * (np.arange(wanted, dtype=np.float64) + 0.5)
    # as in C, towards zero
    starts = np.maximum((centres - reach + 0.5).astype(np.int64), 0)
    stops = np.minimum((centres + reach + 0.5).astype(np.int64), length)
    stops = starts + np.clip(stops - starts, 0, most)
    windows = _windows(starts, stops, centres, scale, interpolation)
    step = max(1, int(SPAN / max(scale, 1.0)))
    return tuple(_block(windows, starts, stops, at, min(at + step, wanted)) for at in range(0, wanted, step))


def _windows(
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    centres: NDArray[np.float64],
    scale: float,
    interpolation: Interpolation,
) -> NDArray[np.float64]:
    """The weights of each window, (wanted, longest window), as multiples of 2^-bits that fit into int16."""
    places = np.arange(int((stops - starts).max()))
    distances = (places + starts[:, None] - centres[:, None] + 0.5) * (1 / scale if scale >= 1 else 1.0)
    weights = _triangle(distances) if interpolation == "bilinear" else _cubic(distances)
    weights[places >= (stops - starts)[:, None]] = 0
    # one after another, as torch adds them up: NumPy's sum does so in pairs
    weights /= np.cumsum(weights, axis=1)[:, -1:]
    largest, bits = float(weights.max()), 0
    while bits < MOST_BITS and int(0.5 + largest * 2 ** (bits + 1)) < 2**INT16_BITS:
        bits += 1
    whole = np.trunc(weights * 2**bits + np.copysign(0.5, weights))
    rounded: NDArray[np.float64] = whole / 2**bits
    return rounded


def _block(
    windows: NDArray[np.float64], starts: NDArray[np.int64], stops: NDArray[np.int64], at: int, to: int
) -> Block:
    start, stop = int(starts[at:to].min()), int(stops[at:to].max())
    weights = np.zeros((to - at, stop - start))
    for row in range(at, to):
        first, length = int(starts[row]) - start, int(stops[row] - starts[row])
        weights[row - at, first : first + length] = windows[row, :length]
    return Block(at, to, start, stop, weights)


def _triangle(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    weights: NDArray[np.float64] = np.maximum(1 - np.abs(distances), 0)
    return weights


def _cubic(distances: NDArray[np.float64], a: float = -0.5) -> NDArray[np.float64]:
    """Keys' cubic convolution kernel (1981), in the order of operations that torch has."""
    x = np.abs(distances)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
