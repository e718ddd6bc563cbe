"""Drawing of shapes from random numbers alone, such that no linear classifier of the pixels can tell their kind."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

KINDS = ("circle", "square", "triangle", "star", "cross")

# Drawing at twice the size and shrinking smooths the edges at a quarter of the cost of four times the size.
SUPERSAMPLE = 2
CIRCLE_CORNERS = 32
# Shapes are rotated, but only so far: at any angle, a small net needs more pictures than a demo has time for.
TURN = math.radians(10)
# Radii that give every kind about the area of the unit circle: the painted area must not tell the kind.
SPREAD = {"circle": 1.0, "square": 1.25, "triangle": 1.4, "star": 1.45, "cross": 1.2}

Point = tuple[float, float]
Colour = tuple[int, int, int]
# left, top, right and bottom edge in pixels
Box = tuple[float, float, float, float]


def outline(kind: str) -> list[Point]:
    """The corners of a kind around the origin, all kinds with about the area of the unit circle.

    Args:
        kind: One of ``KINDS``.

    Raises:
        KeyError: A kind that is none of ``KINDS``.
    """
    spread = SPREAD[kind]
    if kind == "cross":
        arm = 0.4
        corner = [(arm, 1.0), (arm, arm), (1.0, arm)]
        return [
            (spread * (x * c - y * s), spread * (x * s + y * c))
            for c, s in ((1, 0), (0, -1), (-1, 0), (0, 1))
            for x, y in corner
        ]
    corners = {"circle": CIRCLE_CORNERS, "square": 4, "triangle": 3, "star": 10}[kind]
    radii = (spread, 0.45 * spread) if kind == "star" else (spread, spread)
    turn = 2 * math.pi / corners
    # A square stands on its side, the others on a tip that points up.
    start = math.pi / 4 if kind == "square" else -math.pi / 2
    return [
        (radii[i % 2] * math.cos(start + i * turn), radii[i % 2] * math.sin(start + i * turn)) for i in range(corners)
    ]


def place(points: Sequence[Point], centre: Point, radius: float, angle: float) -> list[Point]:
    """Corners turned by ``angle`` (radians), scaled to ``radius`` and moved to ``centre`` (both in pixels)."""
    c, s = radius * math.cos(angle), radius * math.sin(angle)
    return [(centre[0] + x * c - y * s, centre[1] + x * s + y * c) for x, y in points]


def draw(kind: str, rng: random.Random, size: tuple[int, int]) -> tuple[Image.Image, Box]:
    """One RGB picture of a shape, and its bounding box: all about them comes from ``rng``.

    Place, size, angle, colours, clutter and noise are drawn. The colours say nothing about the kind, and the shape is
    brighter or darker than its ground equally often, so that no weighted sum of the pixels tells the kinds apart. Only
    ``rng.random`` and ``rng.randbytes`` are used, which Python keeps the same between versions and machines.

    Args:
        kind: One of ``KINDS``.
        rng: Where every random number comes from.
        size: Height and width in pixels.

    Raises:
        KeyError: A kind that is none of ``KINDS``.
    """
    height, width = (side * SUPERSAMPLE for side in size)
    side = min(height, width)
    ground, paint = _colour_pair(rng)
    image = Image.new("RGB", (width, height), ground)
    canvas = ImageDraw.Draw(image)
    for _ in range(int(rng.uniform(0, 2.5))):
        line = [(rng.uniform(0, width), rng.uniform(0, height)) for _ in range(2)]
        canvas.line(line, fill=_shade(rng, ground), width=max(1, round(rng.uniform(0.01, 0.025) * side)))
    for _ in range(int(rng.uniform(0, 3.5))):
        centre = (rng.uniform(0, width), rng.uniform(0, height))
        blob = [_around(rng, i / 7) for i in range(7)]
        canvas.polygon(place(blob, centre, rng.uniform(0.03, 0.08) * side, 0), fill=_shade(rng, ground))
    radius = rng.uniform(0.26, 0.36) * side
    margin = radius * SPREAD[kind]
    centre = (_within(rng, margin, width), _within(rng, margin, height))
    corners = place(outline(kind), centre, radius, rng.uniform(-TURN, TURN))
    canvas.polygon(corners, fill=paint)
    return _noisy(image.reduce(SUPERSAMPLE), rng, strength=rng.uniform(0, 12)), _bounds(corners, width, height)


def _bounds(corners: Sequence[Point], width: int, height: int) -> Box:
    """The bounding box in pixels of the picture, of which the corners are known at the size at which it was drawn."""
    across, down = zip(*corners, strict=True)
    left, right = max(0.0, min(across)) / SUPERSAMPLE, min(float(width), max(across)) / SUPERSAMPLE
    top, bottom = max(0.0, min(down)) / SUPERSAMPLE, min(float(height), max(down)) / SUPERSAMPLE
    return left, top, right, bottom


def _colour_pair(rng: random.Random) -> tuple[Colour, Colour]:
    """Two colours that differ clearly in brightness; either may be the brighter one."""
    dark, bright = rng.uniform(55, 85), rng.uniform(170, 200)
    first, second = _tint(rng, dark), _tint(rng, bright)
    return (first, second) if rng.random() < 0.5 else (second, first)


def _tint(rng: random.Random, brightness: float) -> Colour:
    red, green, blue = (min(255, max(0, round(brightness + rng.uniform(-20, 20)))) for _ in range(3))
    return red, green, blue


def _shade(rng: random.Random, colour: Colour) -> Colour:
    """A colour near another one: clutter is visible, but fainter than the shape."""
    offset = rng.uniform(-30, 30)
    red, green, blue = (min(255, max(0, round(value + offset + rng.uniform(-20, 20)))) for value in colour)
    return red, green, blue


def _around(rng: random.Random, turn: float) -> Point:
    radius = rng.uniform(0.5, 1.5)
    return radius * math.cos(2 * math.pi * turn), radius * math.sin(2 * math.pi * turn)


def _within(rng: random.Random, margin: float, length: int) -> float:
    return rng.uniform(margin, length - margin) if 2 * margin < length else length / 2


def _noisy(image: Image.Image, rng: random.Random, strength: float) -> Image.Image:
    """Uniform noise of at most ``strength`` grey levels (0 to 255) added to every channel of every pixel."""
    pixels = np.asarray(image, dtype=np.float32)
    noise = np.frombuffer(rng.randbytes(pixels.size), dtype=np.uint8).reshape(pixels.shape)
    noisy = pixels + (noise.astype(np.float32) - 127.5) * np.float32(strength / 127.5)
    return Image.fromarray(noisy.clip(0, 255).round().astype(np.uint8))
