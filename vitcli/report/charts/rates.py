"""Chart of a learning-rate range test: the loss at each rate, and the rate that was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from vitcli.report.charts.easel import Charts, house_style
from vitcli.report.charts.palette import MUTED, RIGHT

NAME = "learning_rate_test"


def draw_rates(folder: Path, rates: Sequence[float], losses: Sequence[float], chosen: float) -> None:
    """Write ``learning_rate_test.svg`` and ``.png``.

    Args:
        folder: Of the run.
        rates: Learning rate of each step, rising.
        losses: Loss of the same images after it.
        chosen: The run's highest rate.
    """

    def paint(axes: Axes) -> None:
        axes.plot(rates, losses, color=RIGHT)
        axes.set_xscale("log")
        axes.axvline(chosen, color=MUTED, linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
        axes.set_title(f"chosen: {chosen:g}", loc="right", color=MUTED, fontsize=9, pad=3)
        # what diverges would flatten the rest
        axes.set_ylim(top=min(max(losses), 2 * losses[0]))
        axes.set(xlabel="learning rate", ylabel="loss")

    with house_style():
        Charts(folder).draw(NAME, "Learning rate", f"Loss at each learning rate; {chosen:g} was chosen.", paint)
