"""The pictures of docs/attention.md, drawn from the same numbers; at fixed places, so that they can be compared."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image
from torch import Tensor

from tests.docs.encoder_decoder import spelled
from tests.docs.nets import PATCH, SIDE
from tests.docs.numbers import GRID, KIND, WORD, Worked, worked

DPI = 110
INK, MUTED = "#1d2128", "#5a6270"
# perceptually even, and read without colours too
COLOURS = "viridis"


def drawn() -> dict[str, bytes]:
    """The files by name, as PNG."""
    found = worked()
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update({"font.size": 9, "axes.titlesize": 9.5, "text.color": INK, "axes.titlelocation": "left"})
        figures = {
            "patches": _patches(found),
            "stages": _stages(found),
            "map": _map(found),
            "alignment": _alignment(found),
            "pooling": _pooling(found),
            "linformer": _linformer(found),
        }
        return {f"attention-{name}.png": _png(figure) for name, figure in figures.items()}


def _png(figure: Figure) -> bytes:
    first, last = io.BytesIO(), io.BytesIO()
    figure.savefig(first, format="png", dpi=DPI, metadata={"Software": None})
    Image.open(first).convert("RGB").save(last, "PNG", optimize=True)
    return last.getvalue()


def _axes(figure: Figure, left: float, bottom: float, width: float, height: float, title: str) -> Axes:
    """Axes at a place in inches."""
    across, down = figure.get_size_inches()
    axes = figure.add_axes((left / across, bottom / down, width / across, height / down))
    axes.set_title(title)
    axes.tick_params(length=2, labelsize=8, labelcolor=MUTED)
    return axes


def _heat(figure: Figure, axes: Axes, values: Any, label: str, **options: Any) -> None:
    """A matrix as colours, with their legend beside it."""
    shown = axes.imshow(np.asarray(values), cmap=options.pop("cmap", COLOURS), interpolation="nearest", **options)
    box = axes.get_position()
    bar = figure.add_axes((box.x1 + 0.08 / figure.get_figwidth(), box.y0, 0.12 / figure.get_figwidth(), box.height))
    figure.colorbar(shown, cax=bar)
    bar.set_ylabel(label, fontsize=8, color=MUTED)
    bar.tick_params(length=2, labelsize=7.5, labelcolor=MUTED)


def _pixels(found: Worked) -> Any:
    return found.pixels.permute(1, 2, 0).numpy()


def _grid(axes: Axes, found: Worked, *, box: bool) -> None:
    """The edges of the patches, and of the shape's box."""
    for edge in range(GRID + 1):
        axes.axhline(edge * PATCH - 0.5, color="white", linewidth=0.7)
        axes.axvline(edge * PATCH - 0.5, color="white", linewidth=0.7)
    axes.set_xticks([PATCH * (number + 0.5) - 0.5 for number in range(GRID)], [str(n + 1) for n in range(GRID)])
    axes.set_yticks([PATCH * (number + 0.5) - 0.5 for number in range(GRID)], [str(n + 1) for n in range(GRID)])
    if box:
        left, top, right, bottom = found.box
        axes.add_patch(
            Rectangle(
                (left - 0.5, top - 0.5), right - left, bottom - top, fill=False, edgecolor="#ff9d3b", linewidth=1.6
            )
        )


def _patches(found: Worked) -> Figure:
    figure = Figure(figsize=(6.9, 2.9))
    axes = _axes(figure, 0.35, 0.3, 2.3, 2.3, f"a drawn {KIND}, {SIDE} x {SIDE} pixels")
    axes.imshow(_pixels(found), interpolation="nearest")
    _grid(axes, found, box=False)
    axes = _axes(figure, 3.3, 0.3, 2.6, 2.3, "its 50 tokens of 128 numbers, a row each")
    _heat(figure, axes, found.tokens, "number", cmap="cividis", vmin=-3, vmax=3, aspect="auto")
    axes.set_yticks([0, 9, 19, 29, 39, 49], ["class", "9", "19", "29", "39", "49"])
    return figure


def _stages(found: Worked) -> Figure:
    figure = Figure(figsize=(10.1, 2.9))
    for left, values, title, label in (
        (0.6, found.scores, "1. scores, 50 x 50", "score"),
        (3.9, found.weights, "2. weights, 50 x 50", "share"),
        (7.2, found.context, "3. context, 50 x 128", "number"),
    ):
        axes = _axes(figure, left, 0.45, 1.95, 2.1, title)
        options = {"vmin": 0, "vmax": 0.2} if label == "share" else {}
        _heat(figure, axes, values, label, aspect="auto", **options)
        axes.set_xlabel("number" if values is found.context else "key", fontsize=8, color=MUTED)
        axes.set_ylabel("query", fontsize=8, color=MUTED)
        axes.set_yticks([0, 10, 20, 30, 40, 49], ["class", "10", "20", "30", "40", "49"])
    return figure


def _map(found: Worked) -> Figure:
    figure = Figure(figsize=(8.3, 2.8))
    weights = found.weights[0, 1:].reshape(GRID, GRID)
    axes = _axes(figure, 0.3, 0.3, 2.15, 2.15, f"the picture and the {KIND}'s box")
    axes.imshow(_pixels(found), interpolation="nearest")
    _grid(axes, found, box=True)
    axes = _axes(figure, 2.75, 0.3, 2.15, 2.15, "what the class token takes")
    _heat(figure, axes, weights, "share", vmin=0)
    axes.set_xticks(range(GRID), [str(number + 1) for number in range(GRID)])
    axes.set_yticks(range(GRID), [str(number + 1) for number in range(GRID)])
    axes = _axes(figure, 5.95, 0.3, 2.15, 2.15, "over the picture: dark is little")
    shade = (weights / weights.max()).numpy().repeat(PATCH, 0).repeat(PATCH, 1)[:, :, None]
    axes.imshow((_pixels(found) * (0.25 + 0.75 * shade)).astype(np.uint8), interpolation="nearest")
    _grid(axes, found, box=True)
    return figure


def _alignment(found: Worked) -> Figure:
    figure = Figure(figsize=(3.6, 2.9))
    axes = _axes(figure, 0.6, 0.55, 2.0, 2.0, "weights of the letters")
    values = [step.weights[0].tolist() for step in found.letters]
    _heat(figure, axes, values, "share", vmin=0, vmax=1)
    axes.set_xticks(range(len(WORD)), list(WORD))
    axes.set_yticks(range(len(WORD)), list(spelled(found.letters)))
    axes.set_xlabel("letter that is read (key)", fontsize=8, color=MUTED)
    axes.set_ylabel("letter that is written (query)", fontsize=8, color=MUTED)
    return figure


def _pooling(found: Worked) -> Figure:
    figure = Figure(figsize=(8.6, 2.8))
    axes = _axes(figure, 0.3, 0.3, 2.1, 2.1, f"the picture and the {KIND}'s box")
    axes.imshow(_pixels(found), interpolation="nearest")
    _grid(axes, found, box=True)
    for left, name, title in ((2.75, "dot", "weights by Luong's score"), (5.8, "additive", "by Bahdanau's score")):
        axes = _axes(figure, left, 0.3, 2.1, 2.1, title)
        _heat(figure, axes, found.pools[name][1][1:].reshape(GRID, GRID), "share", vmin=0)
        axes.set_xticks(range(GRID), [str(number + 1) for number in range(GRID)])
        axes.set_yticks(range(GRID), [str(number + 1) for number in range(GRID)])
    return figure


def _linformer(found: Worked) -> Figure:
    figure = Figure(figsize=(9.2, 2.9))
    parts: Sequence[tuple[float, float, Tensor, str, str, str, str]] = (
        (0.5, 0.9, found.mixed_weights, "weights, 50 x k", "share", "mixture", COLOURS),
        (2.6, 2.1, found.f.T, "F: each mixture's tokens", "part", "token", "cividis"),
        (6.4, 2.0, found.per_token, "softmax(Q (E K)^T) F", "part", "token", "cividis"),
    )
    for left, width, values, title, label, across, colours in parts:
        axes = _axes(figure, left, 0.45, width, 2.1, title)
        reach = float(values.detach().abs().max())
        limits = {"vmin": 0} if colours == COLOURS else {"vmin": -reach, "vmax": reach}
        _heat(figure, axes, values.detach(), label, cmap=colours, aspect="auto", **limits)
        axes.set_xlabel(across, fontsize=8, color=MUTED)
        if values.shape[0] == GRID**2 + 1:
            axes.set_yticks([0, 10, 20, 30, 40, 49], ["class", "10", "20", "30", "40", "49"])
    return figure
