"""Chart of deletion and insertion: the mean probability of the explained class as patches go, or come, by method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes

from vitcli.report.charts.easel import Charts, house_style
from vitcli.report.charts.palette import MUTED, SERIES

# inches
SIZE = (4.6, 3.2)
TOLD = {
    "deletion": ("Deletion: the patches that matter most go first", "share of the patches made grey"),
    "insertion": ("Insertion: the patches that matter most come first", "share of the patches put back"),
}


def faithful_charts(folder: Path, curves: Mapping[str, Mapping[str, Sequence[float]]]) -> list[Path]:
    """Draw the curves, each kind a chart: ``deletion`` and ``insertion`` as SVG and PNG.

    Args:
        folder: Receives the files.
        curves: Of each kind, the curve of each method at equal steps from 0 to 1; the last one is the baseline.
    """
    with house_style():
        charts = Charts(folder)
        for kind, methods in curves.items():

            def paint(axes: Axes, kind: str = kind, methods: Mapping[str, Sequence[float]] = methods) -> None:
                _paint(axes, methods, TOLD[kind][1])

            title = TOLD[kind][0]
            ends = "; ".join(f"{name} {sum(curve) / len(curve):.3f} in the mean" for name, curve in methods.items())
            charts.draw(kind, title, f"{title}: {ends}.", paint, size=SIZE)
    return [folder / f"{name}.png" for name in charts.names]


def _paint(axes: Axes, methods: Mapping[str, Sequence[float]], label: str) -> None:
    for number, (name, curve) in enumerate(methods.items()):
        # of more methods than colours, each again with another dash
        colour, dash = SERIES[number % len(SERIES)][0], SERIES[(number + number // len(SERIES)) % len(SERIES)][1]
        if number == len(methods) - 1:
            colour, dash = MUTED, "-"
        width = 0.9 if number == len(methods) - 1 else 1.8
        shares = [step / (len(curve) - 1) for step in range(len(curve))]
        axes.plot(shares, curve, linestyle=dash, linewidth=width, color=colour, label=name)
    axes.set_xlabel(label)
    axes.set_ylabel("probability of the class")
    axes.set_ylim(0, 1.02)
    axes.margins(x=0.02)
    axes.legend(
        loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, borderaxespad=0.2, borderpad=0, handlelength=2.4,
        columnspacing=1.2, handletextpad=0.5,
    )  # fmt: skip
