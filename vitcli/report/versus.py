"""Versus: runs side by side, and what a paired test says of their difference, image by image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vitcli.about import flat
from vitcli.evaluate.compare import Comparison, compare
from vitcli.evaluate.evaluation import Evaluation
from vitcli.names import counted, printable
from vitcli.report.answer import figures
from vitcli.report.charts.easel import Charts
from vitcli.report.charts.training import compared_charts
from vitcli.report.gallery import Gallery, Shots
from vitcli.report.material import Material, name_of
from vitcli.report.run_view import written
from vitcli.report.view import Column, ComparisonView, Setting

# of the images that changed sides, each way
CHANGED = 12
# what chance would do more often than this is not told from it
LEVEL = 0.05
# settings that say where a run lies, not what it is
PLACES = ("run.", "config", "ckpt_path", "predictions.", "checkpoint.dirpath", "trainer.logger")


def compared(
    material: Material,
    evaluation: Evaluation,
    others: Sequence[tuple[Material, Evaluation]],
    shots: Shots,
    charts: Charts,
) -> ComparisonView:
    """The page's own table beside others.

    Args:
        material: Of the page.
        evaluation: Of the page.
        others: Of the others.
        shots: Of the page's table.
        charts: Receive those of the trainings.

    Raises:
        DataError: One of them is of other images or classes.
    """
    names = distinct([name_of(material.origin), *(name_of(other.origin) for other, _ in others)])
    columns = [Column(names[0], _figures(evaluation))]
    for name, (other, other_evaluation) in zip(names[1:], others, strict=True):
        tables = (str(other.origin.table), str(material.origin.table))
        told = compare(other.scored, material.scored, tables=tables)
        columns.append(
            Column(
                name,
                _figures(other_evaluation),
                str(told.differences["accuracy"]),
                verdict(told, name, names[0]),
                _sides(told, shots, name, names[0], len(columns)),
            )
        )
    known = [
        (name, run.curves)
        for name, run in zip(names, [material, *(other for other, _ in others)], strict=True)
        if run.curves is not None
    ]
    return ComparisonView(
        columns=columns,
        names=list(dict.fromkeys(figure for column in columns for figure in column.figures)),
        charts=compared_charts(charts, known),
        settings=_settings([material.config, *(other.config for other, _ in others)]),
    )


def distinct(names: Sequence[str]) -> list[str]:
    """Names of which no two are the same: a second one of a name is numbered."""
    found: list[str] = []
    for name in names:
        number = 2
        fresh = name
        while fresh in found:
            fresh = f"{name} ({number})"
            number += 1
        found.append(fresh)
    return found


def verdict(told: Comparison, name: str, first: str) -> str:
    """What the paired test says, in a sentence or two.

    Args:
        told: Of ``name`` and ``first``, in this order.
        name: The run that is compared.
        first: The page's own.
    """
    name, first = printable(name), printable(first)
    gained = told.differences["accuracy"]
    sides = (
        f"of {counted(told.images, 'image')}, {told.only_first:,} are right only in {name} and "
        f"{told.only_second:,} only in {first}"
    )
    if not told.only_first + told.only_second:
        return f"{name} and {first} are right on the very same images: {told.both_right:,} of {told.images:,}."
    points = abs(gained.value) * 100
    which = (
        "as many" if not gained.value else f"{points:.1f} percentage points {'more' if gained.value > 0 else 'fewer'}"
    )
    chance = (
        f"more than chance explains (McNemar's exact test, p {p_value(told.p_value)})"
        if told.p_value < LEVEL
        else f"which chance alone may do (McNemar's exact test, p {p_value(told.p_value)})"
    )
    return (
        f"{name} is right on {which}{' images as' if not gained.value else ' of the images than'} {first} "
        f"(95 % interval {gained.low * 100:+.1f} to {gained.high * 100:+.1f}), {chance}: {sides}."
    )


def p_value(value: float) -> str:
    """A p-value with its sign: ``= 0.031``, ``< 0.0001``."""
    return "< 0.0001" if value < 0.0001 else f"= {value:.2g}" if value < 0.995 else "= 1"


def _figures(evaluation: Evaluation) -> Mapping[str, tuple[str, str]]:
    return {name: (value, interval) for name, value, interval in figures(evaluation)}


def _sides(told: Comparison, shots: Shots, name: str, first: str, number: int) -> list[Gallery]:
    """The images that only one of both has right; what is shown is the prediction of the page's own table."""
    rows = {path: row for row, path in enumerate(shots.scored.paths)}
    own = shots.scored.predicted == shots.scored.labels
    galleries = []
    for is_won, title in ((True, f"Right only in {name}"), (False, f"Right only in {first}, not in {name}")):
        changed = [rows[image.path] for image in told.changed if image.path in rows]
        some = [row for row in changed if bool(own[row]) != is_won]
        count = told.only_first if is_won else told.only_second
        shown = f"{CHANGED} of {counted(count, 'image')}" if count > CHANGED else counted(count, "image")
        text = f"{shown}, with the prediction of {printable(first)}."
        if some:
            kept = shots.make(some[:CHANGED])
            galleries.append(Gallery(f"side-{number}-{int(is_won)}", printable(title), text, kept))
    return galleries


def _settings(configs: Sequence[Mapping[str, Any]]) -> list[Setting]:
    """The settings in which runs differ; none where one of them has no config."""
    if not all(configs):
        return []
    all_of = [flat(config) for config in configs]
    keys = sorted({key for settings in all_of for key in settings if not key.startswith(PLACES)})
    values = {key: [settings.get(key) for settings in all_of] for key in keys}
    return [
        Setting(key, written(first), tuple(map(written, rest)))
        for key, (first, *rest) in values.items()
        if any(other != first for other in rest)
    ]
