"""Charts of a search: values in their order, importances of settings, parallel coordinates, curves of the trials."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from vitcli.report.charts.easel import Chart, Charts, legend_above
from vitcli.report.charts.palette import INK, LINE, MUTED, OTHER, RIGHT, WRONG

if TYPE_CHECKING:
    from vitcli.report.study_view import StudyView, TrialView

WIDE = (8.4, 3.2)
LONGEST = 30


def study_charts(charts: Charts, view: StudyView) -> list[Chart]:
    """The charts of a study, each if there is something to show.

    Args:
        charts: Receive them.
        view: Of the study.
    """
    scored = [trial for trial in view.trials if trial.value is not None]
    drawn = []
    if scored:
        drawn.append(_history(charts, view, scored))
    if any(len(trial.curve) > 1 for trial in view.trials):
        drawn.append(_curves(charts, view))
    if view.importances:
        drawn.append(_importances(charts, view))
    if len(scored) > 1 and view.axes:
        drawn.append(_parallel(charts, view, scored))
    return drawn


def _history(charts: Charts, view: StudyView, scored: list[TrialView]) -> Chart:
    complete = [trial for trial in scored if trial.state == "complete"]
    others = [trial for trial in scored if trial.state != "complete"]
    shipped = next((trial for trial in complete if trial.is_baseline), None)
    so_far: list[tuple[int, float]] = []
    for trial in complete:
        assert trial.value is not None
        better = min if view.lowest else max
        so_far.append((trial.number, better(trial.value, so_far[-1][1]) if so_far else trial.value))

    def paint(axes: Axes) -> None:
        if others:
            axes.plot(*_points(others), "x", color=OTHER, markersize=5, label="pruned")
        if complete:
            axes.plot(*_points(complete), "o", color=RIGHT, markersize=5, label="complete")
            axes.step(*zip(*so_far, strict=True), where="post", color=RIGHT, linewidth=1.2, label="best so far")
        if shipped is not None and shipped.value is not None:
            axes.axhline(shipped.value, color=WRONG, linewidth=1.0, linestyle=(0, (4, 2)), label="config as it is")
        _focus(axes, [trial.value for trial in scored if trial.value is not None], lowest=view.lowest)
        axes.set_xlabel("trial")
        axes.set_ylabel(view.objective)
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        legend_above(axes)

    told = "; ".join(f"trial {trial.number} {trial.value:.4f}" for trial in scored)
    return charts.draw("history", "Trials in their order", f"{view.objective} by trial: {told}.", paint, size=WIDE)


def _curves(charts: Charts, view: StudyView) -> Chart:
    def paint(axes: Axes) -> None:
        for trial in view.trials:
            if not trial.curve:
                continue
            is_best = trial.number == view.best
            colour = RIGHT if is_best else WRONG if trial.is_baseline else OTHER
            label = "best" if is_best else "config as it is" if trial.is_baseline else None
            axes.plot(
                range(1, len(trial.curve) + 1),
                trial.curve,
                color=colour,
                label=label,
                linewidth=1.8 if label else 0.9,
                alpha=1.0 if label else 0.7,
                zorder=3 if label else 2,
                marker="o" if len(trial.curve) == 1 else None,
                markersize=3,
            )
        _focus(axes, [value for trial in view.trials for value in trial.curve], lowest=view.lowest)
        axes.set_xlabel("validation")
        axes.set_ylabel(view.objective)
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        if axes.get_legend_handles_labels()[0]:
            legend_above(axes)

    longest = max(len(trial.curve) for trial in view.trials)
    told = f"{view.objective} of {len(view.trials)} trials after each of up to {longest} validations."
    return charts.draw("curves", "Curves of the trials", told, paint)


def _importances(charts: Charts, view: StudyView) -> Chart:
    shown = sorted(view.importances.items(), key=lambda pair: pair[1])

    def paint(axes: Axes) -> None:
        axes.barh([_short(key) for key, _ in shown], [share for _, share in shown], color=RIGHT, height=0.6)
        for number, (_, share) in enumerate(shown):
            axes.text(share + 0.01, number, f"{share:.2f}", va="center", color=INK, fontsize=9)
        axes.set_xlim(0, max(share for _, share in shown) * 1.2 or 1)
        axes.grid(visible=False)
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)

    told = "; ".join(f"{key} {share:.2f}" for key, share in reversed(shown))
    return charts.draw("importances", "Importance of the settings", f"Share of each setting: {told}.", paint)


def _parallel(charts: Charts, view: StudyView, scored: list[TrialView]) -> Chart:
    """Each trial as a line through its values; the quarter with the best objective is coloured."""
    complete = [trial for trial in scored if trial.state == "complete"]
    order = sorted(complete, key=lambda trial: trial.value or 0.0, reverse=not view.lowest)
    good = {trial.number for trial in order[: max(1, math.ceil(len(order) / 4))]}
    values = [trial.value for trial in complete if trial.value is not None] or [trial.value or 0.0 for trial in scored]
    low, high = min(values), max(values)

    def paint(axes: Axes) -> None:
        columns = len(view.axes)
        for trial in scored:
            places = [axis.place(trial.values[axis.key]) if axis.key in trial.values else None for axis in view.axes]
            height = (min(max(trial.value or 0.0, low), high) - low) / (high - low) if high > low else 0.5
            line = [*places, 1 - height if view.lowest else height]
            known = [(number, place) for number, place in enumerate(line) if place is not None]
            is_best, is_good = trial.number == view.best, trial.number in good
            colour = RIGHT if is_good else WRONG if trial.is_baseline else OTHER
            axes.plot(
                *zip(*known, strict=True),
                color=colour,
                linewidth=2.4 if is_best else 1.4 if is_good or trial.is_baseline else 0.8,
                alpha=1.0 if is_good or trial.is_baseline else 0.55,
                linestyle=(0, (4, 2)) if trial.is_baseline else "-",
                zorder=4 if is_best else 3 if is_good else 2,
            )
        for number in range(columns + 1):
            axes.axvline(number, color=LINE, linewidth=1.0, zorder=1)
        for number, axis in enumerate(view.axes):
            words = axis.words or (f"{axis.low:.3g}", f"{axis.high:.3g}")
            for place, word in enumerate(words):
                at = place / max(1, len(words) - 1)
                axes.text(number + 0.03, at, _short(word), color=MUTED, fontsize=8.5, va="center", zorder=5)
        best, worst = (low, high) if view.lowest else (high, low)
        for at, value in ((1, best), (0, worst)):
            axes.text(columns + 0.03, at, f"{value:.4g}", color=MUTED, fontsize=8.5, va="center", zorder=5)
        axes.set_xlim(-0.05, columns + 0.35)
        axes.set_ylim(-0.06, 1.06)
        axes.set_xticks(range(columns + 1), [*(_ends(axis.key) for axis in view.axes), view.objective])
        axes.set_yticks([])
        axes.grid(visible=False)
        for spine in axes.spines.values():
            spine.set_visible(False)

    told = (
        f"Each trial as a line through its values of {', '.join(axis.key for axis in view.axes)} and {view.objective}; "
        f"the best are trials {', '.join(map(str, sorted(good)))}."
    )
    size = (WIDE[0], WIDE[1] + 0.6)
    return charts.draw("parallel", "Which settings go with good values", told, paint, size=size)


def _points(trials: list[TrialView]) -> tuple[list[int], list[float]]:
    return [trial.number for trial in trials], [trial.value for trial in trials if trial.value is not None]


def _focus(axes: Axes, values: list[float], *, lowest: bool) -> None:
    """Leave out of the axis what is far worse than nearly all others, as the loss of a trial that diverges is."""
    finite = sorted(value for value in values if math.isfinite(value))
    if len(finite) < 8:
        return
    first, third = finite[len(finite) // 4], finite[3 * len(finite) // 4]
    spread = 3 * (third - first)
    bottom = finite[0] if lowest else max(finite[0], first - spread)
    top = min(finite[-1], third + spread) if lowest else finite[-1]
    if top > bottom:
        margin = 0.06 * (top - bottom)
        axes.set_ylim(bottom - margin, top + margin)


def _short(word: str) -> str:
    return word if len(word) <= LONGEST else f"...{word[3 - LONGEST :]}"


def _ends(key: str) -> str:
    """The last two names of a key, on two lines."""
    return "\n".join(_short(part) for part in (".".join(key.split(".")[:-1][-1:]), key.split(".")[-1]) if part)
