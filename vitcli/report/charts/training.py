"""Charts of a training: loss, accuracy and learning rate by epoch, with the best epoch marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullFormatter, ScalarFormatter

from vitcli.report.charts.easel import Chart, Charts, legend_above
from vitcli.report.charts.palette import INK, MUTED, OTHER, RIGHT, SERIES
from vitcli.report.curves import Curve, Curves

# a loss that falls by this factor is shown on a logarithmic axis
LOG_FROM = 8.0


def training_charts(charts: Charts, curves: Curves) -> list[Chart]:
    """Loss, accuracy and learning rate, each if it was logged.

    Args:
        charts: Receive them.
        curves: Of the run.
    """
    drawn = []
    for metric, title in (("loss", "Loss"), ("accuracy", "Accuracy")):
        shown = [
            (split, curve)
            for split in ("train", "val")
            if (curve := curves.curves.get(f"{split}/{metric}")) is not None
        ]
        if shown:
            drawn.append(_metric(charts, curves, metric, title, shown))
    if (rate := curves.curves.get("train/lr")) is not None:
        drawn.append(
            charts.draw(
                "learning_rate",
                "Learning rate",
                f"Learning rate by epoch: at most {max(rate.values):.3g}, {rate.values[-1]:.3g} in the end.",
                lambda axes: _paint(axes, [("train", rate)], None, "learning rate"),
            )
        )
    return drawn


def compared_charts(charts: Charts, runs: Sequence[tuple[str, Curves]]) -> list[Chart]:
    """The loss and accuracy on val of several runs, where they were logged.

    Args:
        charts: Receive them.
        runs: Name and curves of each.
    """
    drawn = []
    for metric, title in (("loss", "Loss on val"), ("accuracy", "Accuracy on val")):
        shown = [(name, curve) for name, run in runs if (curve := run.curves.get(f"val/{metric}")) is not None]
        if len(shown) > 1:
            ends = "; ".join(f"{name} ends at {curve.values[-1]:.4f}" for name, curve in shown)

            def paint(axes: Axes, shown: Sequence[tuple[str, Curve]] = shown, metric: str = metric) -> None:
                for (name, curve), (colour, dash) in zip(shown, SERIES, strict=False):
                    axes.plot(curve.epochs, curve.values, dash, color=colour, label=_short(name), **_dots(curve))
                _finish(axes, [curve for _, curve in shown], metric)
                legend_above(axes)

            drawn.append(charts.draw(f"compared_{metric}", title, f"{title} by epoch: {ends}.", paint))
    return drawn


def _metric(charts: Charts, curves: Curves, metric: str, title: str, shown: Sequence[tuple[str, Curve]]) -> Chart:
    best = curves.best[0] if curves.best is not None else None
    ends = "; ".join(f"{split} from {curve.values[0]:.4f} to {curve.values[-1]:.4f}" for split, curve in shown)
    marked = f"; the best epoch is {best:g}" if best is not None else ""
    return charts.draw(
        metric, title, f"{title} by epoch: {ends}{marked}.", lambda axes: _paint(axes, shown, best, metric)
    )


def _paint(axes: Axes, shown: Sequence[tuple[str, Curve]], best: float | None, metric: str) -> None:
    for split, curve in shown:
        colour = RIGHT if split == "val" or len(shown) == 1 else OTHER
        axes.plot(curve.epochs, curve.values, "-", color=colour, label=split, **_dots(curve))
        if best in curve.epochs and split == "val":
            value = curve.values[curve.epochs.index(best)]
            axes.plot([best], [value], "o", color=RIGHT, markersize=6, markeredgecolor=INK, zorder=4)
    _finish(axes, [curve for _, curve in shown], metric)
    if best is not None:
        axes.axvline(best, color=MUTED, linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
        # at the end of the legend's line, where it is clear of the curves
        axes.set_title(f"best epoch: {best:g}", loc="right", color=MUTED, fontsize=9, pad=3)
    if len(shown) > 1:
        legend_above(axes)


def _dots(curve: Curve) -> dict[str, Any]:
    """A curve of few points shows each; one point alone would not be seen without."""
    return {"marker": "o", "markersize": 3.5} if len(curve.epochs) <= 15 else {}


def _finish(axes: Axes, curves: Sequence[Curve], metric: str) -> None:
    values = [value for curve in curves for value in curve.values if value > 0]
    if metric == "loss" and values and max(values) > LOG_FROM * min(values):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.yaxis.set_minor_formatter(NullFormatter())
    if metric == "learning rate":
        axes.set_ylim(bottom=0)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.margins(x=0.03)


def _short(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:21]}..."
