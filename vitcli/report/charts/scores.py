"""Charts of an evaluation: reliability, confidence, ROC, precision and recall, the classes, the confusion matrix."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from vitcli.evaluate.evaluation import Binary, Calibration, Evaluation
from vitcli.evaluate.scored import Scored
from vitcli.names import printable
from vitcli.report.charts.easel import HEIGHT, Chart, Charts, legend_above
from vitcli.report.charts.palette import INK, MUTED, OTHER, PAPER, RIGHT, SHADE, WRONG

BINS = 20
# classes whose names and numbers can be read in a chart
NAMED = 40
NUMBERED = 20
LONGEST = 18


def reliability(charts: Charts, as_is: Calibration, calibrated: Calibration | None) -> Chart:
    """Accuracy against confidence, in bins of equally many images, before and after the temperature.

    Args:
        charts: Receive it.
        as_is: Of the table.
        calibrated: At the fitted temperature, if one was fitted.
    """

    def paint(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
        after = f"at temperature {calibrated.temperature:.2f}" if calibrated is not None else ""
        for state, colour, dash, mark, label in (
            (as_is, WRONG if calibrated is not None else RIGHT, "-", "o", "as it is"),
            (calibrated, RIGHT, "--", "s", after),
        ):
            if state is not None:
                bins = state.bins
                means, reached = [held.confidence for held in bins], [held.accuracy for held in bins]
                axes.vlines(
                    means, [b.low for b in bins], [b.high for b in bins], color=colour, linewidth=0.9, alpha=0.5
                )
                axes.plot(means, reached, dash, marker=mark, color=colour, label=label, markersize=4, linewidth=1.4)
        lowest = min((held.confidence for held in as_is.bins), default=0.0)
        least = min((held.low for held in as_is.bins), default=0.0)
        axes.set(xlabel="confidence", ylabel="accuracy", xlim=(max(0.0, lowest - 0.05), 1.02))
        axes.set_ylim(max(0.0, min(lowest, least) - 0.05), 1.03)
        legend_above(axes)

    after = (
        f"; after temperature {calibrated.temperature:.2f}, {calibrated.expected_error:.3f}"
        if calibrated is not None
        else ""
    )
    told = (
        f"Accuracy against confidence in {len(as_is.bins)} bins of equally many images: the expected calibration "
        f"error is {as_is.expected_error:.3f}{after}."
    )
    return charts.draw("reliability", "Is 0.9 right 9 times of 10?", told, paint)


def confidences(charts: Charts, scored: Scored) -> Chart:
    """How many images have which confidence: right ones on top of wrong ones, or all where there are no labels."""
    known = scored.predicted >= 0
    labelled = scored.is_scored
    right = scored.confidence[labelled & (scored.predicted == scored.labels)]
    wrong = scored.confidence[labelled & (scored.predicted != scored.labels)]
    other = scored.confidence[known & ~labelled]
    shown = [
        (values[np.isfinite(values)], colour, label)
        for values, colour, label in ((wrong, WRONG, "wrong"), (right, RIGHT, "right"), (other, OTHER, "no label"))
    ]
    shown = [entry for entry in shown if len(entry[0])]
    lowest = min((float(values.min()) for values, _, _ in shown), default=0.0)
    edges = np.linspace(np.floor(lowest * 20) / 20 if lowest < 0.95 else 0.9, 1.0, BINS + 1)

    def paint(axes: Axes) -> None:
        bottom = np.zeros(BINS)
        for values, colour, label in shown:
            counts = np.histogram(np.clip(values, edges[0], 1.0), edges)[0]
            only = colour if len(shown) > 1 or label != "no label" else RIGHT
            axes.bar(edges[:-1], counts, np.diff(edges) * 0.9, bottom, align="edge", color=only, label=label)
            bottom = bottom + counts
        axes.set(xlabel="confidence", ylabel="images")
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        if len(shown) > 1:
            legend_above(axes)

    said = "; ".join(f"{label}: {len(values):,}, median {np.median(values):.3f}" for values, _, label in shown)
    return charts.draw("confidence", "How sure it is", f"Images by confidence. {said or 'None'}.", paint)


def binary_charts(charts: Charts, binary: Binary) -> list[Chart]:
    """ROC curve and precision-recall curve of two classes."""
    roc = np.array(binary.roc, dtype=np.float64).reshape(-1, 3)
    pair = np.array(binary.precision_recall, dtype=np.float64).reshape(-1, 3)

    def paint_roc(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9, linestyle=(0, (2, 2)))
        axes.plot(roc[:, 0], roc[:, 1], color=RIGHT)
        axes.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))

    def paint_pair(axes: Axes) -> None:
        axes.plot(pair[:, 0], pair[:, 1], color=RIGHT)
        axes.set(xlabel="recall", ylabel="precision", xlim=(-0.02, 1.02), ylim=(-0.02, 1.04))

    name = printable(binary.positive)
    return [
        charts.draw("roc", "ROC", f"True against false positive rate of {name}, over all thresholds.", paint_roc),
        charts.draw(
            "precision_recall", "Precision and recall", f"Precision against recall of {name}, over all thresholds.",
            paint_pair,
        ),
    ]  # fmt: skip


def sizes(charts: Charts, widths_heights: NDArray[np.int64], told: str) -> Chart:
    """Width and height of the images; one dot for each size, larger for more images.

    Args:
        charts: Receive it.
        widths_heights: Integers (images, 2), all above 0, not all the same.
        told: The same in a sentence.
    """
    distinct, counts = np.unique(widths_heights, axis=0, return_counts=True)
    often = np.argsort(-counts, kind="stable")[:1000]
    distinct, counts = distinct[often], counts[often]

    def paint(axes: Axes) -> None:
        area = 8 + 112 * counts / counts.max()
        axes.scatter(distinct[:, 0], distinct[:, 1], area, color=RIGHT, alpha=0.45, linewidths=0)
        axes.set(xlabel="width in pixels", ylabel="height in pixels")
        axes.grid(True, axis="both")
        axes.set_xlim(0, distinct[:, 0].max() * 1.08)
        axes.set_ylim(0, distinct[:, 1].max() * 1.08)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(5, integer=True))

    return charts.draw("sizes", "Sizes", told, paint)


def class_scores(charts: Charts, evaluation: Evaluation) -> Chart:
    """F1 of each class with its interval; of many classes the worst."""
    known = [scores for scores in evaluation.per_class if scores.f1 is not None]
    worst = sorted(known, key=lambda scores: scores.f1.value if scores.f1 is not None else 0.0)[:NAMED]
    shown = list(reversed([scores for scores in known if scores in worst]))

    def paint(axes: Axes) -> None:
        places = range(len(shown))
        estimates = [scores.f1 for scores in shown if scores.f1 is not None]
        axes.hlines(places, [e.low for e in estimates], [e.high for e in estimates], color=RIGHT, linewidth=1.2)
        axes.plot([e.value for e in estimates], places, "o", color=RIGHT, markersize=4)
        axes.set_yticks(places, [short(scores.name) for scores in shown])
        axes.grid(True, axis="x")
        axes.grid(False, axis="y")
        axes.set(xlabel="F1", xlim=(-0.02, 1.02), ylim=(-0.7, len(shown) - 0.3))

    what = f"the {len(shown)} classes with the lowest" if len(shown) < len(known) else f"{len(shown)} classes"
    height = max(HEIGHT, 0.9 + 0.19 * len(shown))
    return charts.draw("classes", "F1 by class", f"F1 of {what}, with intervals.", paint, size=(5.0, height))


def confusion(charts: Charts, classes: tuple[str, ...], matrix: NDArray[np.int64]) -> Chart:
    """The confusion matrix as a heat map, each row as shares of its label.

    Args:
        charts: Receive it.
        classes: Their names.
        matrix: Integers (label, predicted).
    """
    shares = matrix / np.maximum(1, matrix.sum(axis=1, keepdims=True))
    count = len(classes)

    def paint(axes: Axes) -> None:
        shade = LinearSegmentedColormap.from_list("share", [PAPER, SHADE, RIGHT])
        axes.imshow(shares, cmap=shade, vmin=0, vmax=1, interpolation="nearest", aspect="equal")
        axes.grid(False)
        axes.set(xlabel="predicted", ylabel="label")
        if count <= NAMED:
            names = [short(name) for name in classes]
            axes.set_xticks(range(count), names, rotation=90 if count > 4 else 0)
            axes.set_yticks(range(count), names)
        if count <= NUMBERED:
            for row, column in np.argwhere(matrix > 0).tolist():
                colour = PAPER if shares[row, column] > 0.6 else INK
                size = 9 if count <= 10 else 6.5
                axes.text(column, row, f"{matrix[row, column]}", ha="center", va="center", color=colour, fontsize=size)

    side = min(9.0, max(3.2, 1.6 + 0.3 * count)) if count <= NAMED else 6.0
    told = f"Confusion matrix of {count} classes, rows are labels, columns predictions."
    return charts.draw("confusion", "Confusion matrix", told, paint, size=(side, side))


def short(name: str) -> str:
    """The name of a class as an axis has room for it."""
    name = printable(name)
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 3]}..."
