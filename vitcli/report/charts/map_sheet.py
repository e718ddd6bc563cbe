"""Sheets of maps: a picture beside its overlays with their legends; and all layers and heads of attention at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image

from vitcli.preprocess import Region
from vitcli.report.charts.colouring import BEYOND, ONE_SIDED, TWO_SIDED, Map, Scale, overlay
from vitcli.report.charts.palette import INK, MUTED, PAPER

# inches: a panel, the gap between two, the margin, and the room for titles above and legends below
PANEL, GAP, MARGIN, ABOVE, BELOW = 2.2, 0.16, 0.16, 0.62, 0.72
DPI = 120
# letters of a line
LONGEST = 34
# pixels of a map in a sheet of layers; of the larger side of all of them: what is easy to look at, and the most
SMALLEST, LARGEST, COMFORT, WHOLE = 24, 96, 480, 6000


@final
@dataclass(frozen=True, slots=True)
class Shown:
    """A picture that is shown with its maps.

    Args:
        picture: uint8 (height, width, 3): all of it, upright, perhaps smaller than it was.
        seen: uint8 (height, width, 3): what of it enters the net.
        region: Where that is in the picture, as shares of its sides; it may reach beyond.
        name: Of the file.
        told: What the net says of it, in a line.
    """

    picture: NDArray[np.uint8]
    seen: NDArray[np.uint8]
    region: Region
    name: str
    told: str


def draw_sheet(file: Path, shown: Shown, maps: Mapping[str, Map], titles: Mapping[str, str]) -> None:
    """Draw a picture, and beside it an overlay of each map with its legend, as a PNG; inside of ``house_style``.

    Args:
        file: The PNG to write.
        shown: The picture.
        maps: By method.
        titles: Of each method.
    """
    sides = shown.seen.shape[0] / shown.seen.shape[1]
    width, height = PANEL * min(1.0, 1 / sides), PANEL * min(1.0, sides)
    whole = (2 * MARGIN + (len(maps) + 1) * (PANEL + GAP) - GAP, ABOVE + PANEL + BELOW)
    figure = Figure(figsize=whole, dpi=DPI)

    def place(number: int, across: float, down: float) -> Axes:
        left = MARGIN + number * (PANEL + GAP) + (PANEL - across) / 2
        bottom = BELOW + (PANEL - down) / 2
        axes = figure.add_axes((left / whole[0], bottom / whole[1], across / whole[0], down / whole[1]))
        axes.axis("off")
        return axes

    _text(figure, MARGIN / whole[0], 1 - 0.2 / whole[1], _shortened(shown.told, len(maps) + 1), size=11)
    _text(figure, MARGIN / whole[0], 1 - 0.4 / whole[1], _shortened(shown.name, len(maps) + 1), size=8, color=MUTED)
    rows, columns = shown.picture.shape[:2]
    larger = max(rows, columns)
    axes = place(0, PANEL * columns / larger, PANEL * rows / larger)
    axes.imshow(shown.picture, aspect="auto", extent=(0, 1, 1, 0), interpolation="antialiased")
    caption = "picture; framed: what the net sees" if _frame(axes, shown.region) else "picture"
    figure.text((MARGIN + PANEL / 2) / whole[0], 0.37 / whole[1], caption, ha="center", va="bottom", fontsize=9)
    for number, (method, found) in enumerate(maps.items(), 1):
        scale = Scale.of(found)
        axes = place(number, width, height)
        axes.imshow(overlay(shown.seen, found, scale), aspect="auto", interpolation="antialiased")
        _legend(figure, axes, scale, titles[method], whole)
    figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})


def draw_layers(file: Path, layers: Map, told: str, name: str) -> None:
    """Draw the maps of all layers (rows) and heads (columns), each to its own largest, as a PNG.

    Args:
        file: The PNG to write.
        layers: float32 (layers, heads, rows, columns).
        told: What the net says of the picture, in a line.
        name: Of the file.
    """
    depth, heads, rows, columns = layers.shape
    most = max(depth, heads)
    cell = min(LARGEST, max(SMALLEST, rows, columns, COMFORT // most), max(4, WHOLE // most))
    larger = max(rows, columns)
    size = max(1, round(cell * columns / larger)), max(1, round(cell * rows / larger))
    is_signed, is_cut = bool(np.nanmin(layers) < 0), False
    pitch = (size[1] + 3, size[0] + 3)
    canvas = np.full((depth * pitch[0], heads * pitch[1], 3), 255, dtype=np.uint8)
    for layer in range(depth):
        for head in range(heads):
            found = layers[layer, head]
            own = Scale.of(found)
            is_cut |= own.is_cut
            colours = Image.fromarray(replace(own, low=-own.high if is_signed else 0.0).colours(found))
            how = Image.Resampling.BOX if larger > cell else Image.Resampling.NEAREST
            top, left = layer * pitch[0], head * pitch[1]
            canvas[top : top + size[1], left : left + size[0]] = np.asarray(colours.resize(size, how))
    inches = max(3.6, canvas.shape[1] / DPI + 0.75), canvas.shape[0] / DPI + 1.35
    figure = Figure(figsize=inches, dpi=DPI)
    across, down = canvas.shape[1] / DPI, canvas.shape[0] / DPI
    axes = figure.add_axes((0.6 / inches[0], 0.62 / inches[1], across / inches[0], down / inches[1]))
    axes.imshow(canvas, aspect="auto", interpolation="antialiased", extent=(0, heads, depth, 0))
    axes.grid(visible=False)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_xticks([head + 0.5 for head in _ticks(heads)], [str(head + 1) for head in _ticks(heads)])
    axes.set_yticks([layer + 0.5 for layer in _ticks(depth)], [str(layer + 1) for layer in _ticks(depth)])
    axes.tick_params(length=0, labelsize=7, pad=2)
    axes.set_xlabel("head", fontsize=8, labelpad=1)
    axes.set_ylabel("layer", fontsize=8, labelpad=1)
    letters = inches[0] / PANEL
    _text(figure, 0.12 / inches[0], 1 - 0.2 / inches[1], _shortened(told, letters), size=9)
    _text(figure, 0.12 / inches[0], 1 - 0.4 / inches[1], _shortened(name, letters), size=7, color=MUTED)
    bar = figure.add_axes((0.6 / inches[0], 0.24 / inches[1], min(2.4, across) / inches[0], 0.08 / inches[1]))
    most_told = f"each map's largest{f', but for {100 * BEYOND:g} % of it' if is_cut else ''}"
    low, colours_of = ("-", TWO_SIDED) if is_signed else ("0", ONE_SIDED)
    _bar(figure, bar, colours_of, -1.0 if is_signed else 0.0, 1.0)
    bar.set_xticks([-1, 1] if is_signed else [0, 1], [f"{low}largest" if is_signed else low, most_told])
    figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})


def _frame(axes: Axes, region: Region) -> bool:
    """A frame about what of the picture enters the net, unless that is all of it; whether there is one."""
    edges = [min(1.0, max(0.0, edge)) for edge in region]
    is_part = max(edges[0], edges[1], 1 - edges[2], 1 - edges[3]) > 0.004
    if is_part:
        corner, sides = (edges[0], edges[1]), (edges[2] - edges[0], edges[3] - edges[1])
        for colour, thick in ((PAPER, 2.4), (INK, 1.0)):
            axes.add_patch(Rectangle(corner, *sides, fill=False, edgecolor=colour, linewidth=thick))
    axes.set_xlim(0, 1)
    axes.set_ylim(1, 0)
    return is_part


def _legend(figure: Figure, axes: Axes, scale: Scale, title: str, whole: tuple[float, float]) -> None:
    place = axes.get_position()
    middle, across = (place.x0 + place.x1) / 2, PANEL * 0.86 / whole[0]
    bar = figure.add_axes((middle - across / 2, 0.26 / whole[1], across, 0.09 / whole[1]))
    _bar(figure, bar, scale.name, scale.low, scale.high)
    bar.set_title(title, fontsize=9, pad=3)
    ends = [scale.low, 0.0, scale.high] if scale.low < 0 else [scale.low, scale.high]
    more = "\u2265 " if scale.is_cut else ""
    less = "\u2264 " if scale.is_cut and scale.low < 0 else ""
    told = [f"{end:.2g}" for end in ends]
    bar.set_xticks(ends, [f"{less}{told[0]}", *told[1:-1], f"{more}{told[-1]}"])
    first, *_, last = bar.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")


def _bar(figure: Figure, bar: Axes, colours: str, low: float, high: float) -> None:
    figure.colorbar(ScalarMappable(Normalize(low, high), colours), cax=bar, orientation="horizontal")
    bar.tick_params(length=0, labelsize=7, pad=2)
    bar.grid(visible=False)


def _ticks(count: int) -> list[int]:
    step = max(1, -(-count // 24))
    return list(range(0, count, step))


def _text(figure: Figure, x: float, y: float, text: str, **how: Any) -> None:
    figure.text(x, y, text, ha="left", va="center", fontsize=how.pop("size"), **how)


def _shortened(text: str, panels: float) -> str:
    """What a line has room for: of a long one its end, which says most of a path."""
    most = round(panels * LONGEST)
    return text if len(text) <= most else f"\u2026{text[-most + 1 :]}"
