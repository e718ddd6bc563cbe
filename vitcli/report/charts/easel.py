"""Charts: drawn once by matplotlib, put into the page as inline SVG, and written beside it as SVG and PNG."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vitcli.report.charts.inline_svg import InlineSvg
from vitcli.report.charts.palette import INK, LINE, MUTED, PAPER

# inches; an inline chart is as wide as its column, in which its text then is about as large as the page's small print
WIDTH, HEIGHT = 4.0, 2.6
DPI = 200
# of any type, because matplotlib types each key
STYLE: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": LINE,
    "axes.facecolor": PAPER,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.labelcolor": MUTED,
    "axes.labelsize": 9.5,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": PAPER,
    "font.family": "sans-serif",
    "font.size": 9.5,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.8,
    "savefig.facecolor": PAPER,
    # same drawing, same bytes
    "svg.hashsalt": "vitcli",
    "svg.fonttype": "none",
    "text.color": INK,
    # a class may be called $
    "text.parse_math": False,
    "xtick.color": LINE,
    "xtick.labelcolor": MUTED,
    "xtick.labelsize": 9.5,
    "ytick.color": LINE,
    "ytick.labelcolor": MUTED,
    "ytick.labelsize": 9.5,
    "ytick.left": False,
}


@final
@dataclass(frozen=True, slots=True)
class Chart:
    """A drawn chart.

    Args:
        name: Of its files, without ending.
        title: In a few words.
        told: What it shows, for those who do not see it.
        svg: To be put into the page.
    """

    name: str
    title: str
    told: str
    svg: Markup


@final
class Charts:
    """The charts of a page; to be used inside of ``house_style``.

    Args:
        folder: Receives an SVG and a PNG of each; made when the first is drawn. None writes no files.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.names: list[str] = []
        self._inline = InlineSvg()

    def draw(
        self,
        name: str,
        title: str,
        told: str,
        paint: Callable[[Axes], None],
        *,
        size: tuple[float, float] = (WIDTH, HEIGHT),
    ) -> Chart:
        """Draw a chart.

        Args:
            name: Of its files, without ending; each its own.
            title: In a few words.
            told: What it shows, for those who do not see it.
            paint: Draws into the axes.
            size: Width and height in inches.
        """
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
        axes.tick_params(length=0)
        paint(axes)
        svg = io.StringIO()
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
        # placed already: the same drawing once more needs no layout
        figure.set_layout_engine("none")
        self._write(name, svg.getvalue(), figure)
        self.names.append(name)
        return Chart(name, title, told, self._inline.inline(svg.getvalue(), name, told))

    @property
    def css(self) -> str:
        """The rules that the inline charts need."""
        return self._inline.css

    def _write(self, name: str, svg: str, figure: Figure) -> None:
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{name}.svg").write_text(svg, encoding="utf-8")
        figure.savefig(self.folder / f"{name}.png", format="png", dpi=DPI, metadata={"Software": None})


def legend_above(axes: Axes) -> None:
    """A legend over the axes, where it hides nothing."""
    axes.legend(
        loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4, borderaxespad=0.2, borderpad=0, handlelength=1.6,
        columnspacing=1.2, handletextpad=0.5,
    )  # fmt: skip


@contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib as the charts need it, whatever the user's matplotlibrc says; afterwards as it was."""
    log = logging.getLogger("matplotlib")
    level = log.level
    try:
        # such as that it made itself a temporary folder
        log.setLevel(logging.ERROR)
        with warnings.catch_warnings(), mpl.rc_context():
            # about characters of class names that its font lacks: browsers have them
            warnings.simplefilter("ignore")
            mpl.rcdefaults()
            mpl.rcParams.update(STYLE)
            yield
    finally:
        log.setLevel(level)
