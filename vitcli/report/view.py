"""View: what a page shows, section by section; the templates only lay it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

from vitcli.about import About
from vitcli.evaluate.evaluation import Evaluation
from vitcli.report.answer import Answer
from vitcli.report.charts.easel import Chart
from vitcli.report.gallery import Gallery
from vitcli.report.material import LeftOut
from vitcli.report.matrix import Heat
from vitcli.report.thresholds import Sliding


@final
@dataclass(frozen=True, slots=True)
class DataView:
    """The images.

    Args:
        counts: Images of each class by split, as far as known.
        shown: Splits with a column.
        totals: Images of each split.
        sizes: Chart of their sizes, where they differ.
        sizes_told: Their sizes in a sentence; empty where they are not known.
        left_out: Images that fit left out.
        errors: Path and reason of images without a prediction.
        failed: How many of these there are.
        notices: What the user was told of the data.
        checked: What ``vitcli check`` found.
        samples: ``data:`` address of the samples as the net sees them; empty where there are none.
    """

    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    shown: Sequence[str] = ()
    totals: Mapping[str, int] = field(default_factory=dict)
    sizes: Chart | None = None
    sizes_told: str = ""
    left_out: Sequence[LeftOut] = ()
    errors: Sequence[tuple[str, str]] = ()
    failed: int = 0
    notices: Sequence[str] = ()
    checked: Sequence[tuple[str, str]] = ()
    samples: str = ""


@final
@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that is worth a line.

    Args:
        key: As typed behind ``--``.
        before: Its default; of a comparison, the value of the first run.
        values: Its value; of a comparison, that of each other run.
    """

    key: str
    before: str
    values: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class RunView:
    """The run.

    Args:
        facts: Name and value: the net, its cost, time and memory.
        settings: Those that differ from their defaults.
        config: The whole config, as YAML.
        versions: Of libraries, by name.
        commands: What makes it all again.
    """

    facts: Sequence[tuple[str, str]] = ()
    settings: Sequence[Setting] = ()
    config: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    commands: Sequence[str] = ()


@final
@dataclass(frozen=True, slots=True)
class Column:
    """A run or table of a comparison.

    Args:
        name: Its own.
        figures: Value and interval by name.
        difference: Accuracy less that of the first one, with its interval; empty for the first.
        verdict: What the paired test says of it; empty for the first.
        sides: Images that changed sides.
    """

    name: str
    figures: Mapping[str, tuple[str, str]]
    difference: str = ""
    verdict: str = ""
    sides: Sequence[Gallery] = ()


@final
@dataclass(frozen=True, slots=True)
class ComparisonView:
    """Runs side by side, the first one is the page's own.

    Args:
        columns: One each.
        names: Of the figures, in their order.
        charts: Of their trainings.
        settings: Those in which they differ.
    """

    columns: Sequence[Column]
    names: Sequence[str]
    charts: Sequence[Chart]
    settings: Sequence[Setting]


@final
@dataclass(frozen=True, slots=True)
class View:
    """A whole page.

    Args:
        name: Of the run or table.
        split: ``test``, ``val`` or empty.
        answer: Its first lines.
        evaluation: Of the table; None without labels.
        comparison: With other runs.
        training: Charts of the training.
        best: The best epoch, in words.
        heat: The confusion matrix.
        galleries: Mistakes and others.
        by_class: Galleries of predicted classes, without labels.
        calibration: Its charts.
        sliding: For the slider of two classes.
        threshold_charts: ROC, and precision and recall.
        data: The images.
        run: The run; None for a table alone.
        about: What the training told of itself.
        pictures: How many thumbnails there are, and why not more.
        overlays: How many of them have an overlay that shows where in them the answer comes from, in words.
        folder: Where the charts lie, beside the page.
        charts: Names of all charts there.
    """

    name: str
    split: str
    answer: Answer
    evaluation: Evaluation | None = None
    comparison: ComparisonView | None = None
    training: Sequence[Chart] = ()
    best: str = ""
    heat: Heat | None = None
    galleries: Sequence[Gallery] = ()
    by_class: Sequence[Gallery] = ()
    calibration: Sequence[Chart] = ()
    sliding: Sliding | None = None
    threshold_charts: Sequence[Chart] = ()
    data: DataView = field(default_factory=DataView)
    run: RunView | None = None
    about: About | None = None
    pictures: str = ""
    overlays: str = ""
    folder: str = ""
    charts: Sequence[str] = ()
