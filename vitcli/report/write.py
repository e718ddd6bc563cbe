"""write_report: a prediction table, and the run it belongs to, as report.html with its charts beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from vitcli.errors import ConfigError, DataError
from vitcli.evaluate.evaluate import evaluate
from vitcli.evaluate.evaluation import Evaluation
from vitcli.evaluate.origin import find_origin
from vitcli.evaluate.read import read_scored
from vitcli.evaluate.scored import Scored
from vitcli.evaluate.temperature import temperature_of
from vitcli.machine.atomic import replacing
from vitcli.names import counted
from vitcli.report import gallery
from vitcli.report.answer import answer, answer_without_labels
from vitcli.report.charts import scores, training
from vitcli.report.charts.easel import Chart, Charts, house_style
from vitcli.report.curves import Curves
from vitcli.report.data_view import view_data
from vitcli.report.gallery import Shots
from vitcli.report.material import Material, gather, name_of
from vitcli.report.matrix import heat
from vitcli.report.overlays import Explains, Overlays
from vitcli.report.page import render
from vitcli.report.pictures import Thumbnails
from vitcli.report.run_view import view_run
from vitcli.report.thresholds import sliding
from vitcli.report.versus import compared
from vitcli.report.view import View
from vitcli.run import Run

PAGE = "report.html"
FOLDER = "report"
# with their pages a megabyte; more would make it slow to write, to send and to open
THUMBNAILS = 240
# in the head of each page
GENERATOR = b'<meta name="generator" content="vitcli">'
HEAD = 4096


def write_report(
    run: Run | None,
    table: Path | None,
    out: Path,
    *,
    compare: Sequence[str] = (),
    split: str | None = None,
    columns: Mapping[str, str] | None = None,
    images: str | None = None,
    scored: Scored | None = None,
    evaluation: Evaluation | None = None,
    explains: Explains | None = None,
) -> Path:
    """Write the page of a run's table, or of a table alone, and its charts into ``report/`` beside it.

    Only files are read; the run's pictures are shown if they are still there. The same files give the same bytes.

    Args:
        run: The run; None for a table alone.
        table: Its table; None takes what the run has, the test's before val's.
        out: Folder that receives report.html; made where it does not exist.
        compare: Folders of other runs, or tables, to be put beside this one, image by image.
        split: ``test`` or ``val``, where the run has both.
        columns: Names of another tool's columns, as ``read_scored`` takes them.
        images: Folder or archive of the pictures, where they are elsewhere now.
        scored: The table, where it was read already.
        evaluation: Of it, where that was done already.
        explains: What makes the overlays of mistakes and of unsure successes; None: there are none.

    Raises:
        ConfigError: ``out`` cannot be made.
        DataError: There is no table, or it cannot be read; or one to compare with is of other images.
    """
    where = table if table is not None else run.folder if run is not None else Path()
    origin = find_origin(str(where), split)
    origin = replace(origin, run=run or origin.run, split=origin.split or split or "")
    if scored is None:
        scored = read_scored(origin.table, columns)
    material = gather(origin, scored, images=images)
    if evaluation is None and scored.is_scored.any():
        evaluation = evaluated(material)
    if compare and evaluation is None:
        raise DataError(f"--compare {compare[0]}: {origin.table} has no labels, so that nobody knows which is right")
    others = [_other(name, split or origin.split or None, columns) for name in compare]
    is_new = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--out {out}: the folder cannot be made ({error.strerror}); name another") from error
    if not os.access(out, os.W_OK):
        raise ConfigError(f"{out}: cannot be written to; name another folder for the report with --out")
    charts = Charts(out / FOLDER)
    try:
        with house_style():
            view = _view(material, evaluation, others, charts, explains)
    except DataError:
        # tables that cannot be compared
        if is_new:
            with suppress(OSError):
                out.rmdir()
        raise
    page = render(view, charts.css)
    with replacing(out / PAGE) as part:
        part.write_text(page, encoding="utf-8", errors="backslashreplace")
    return out / PAGE


def check_out(out: Path) -> None:
    """Check that a folder holds no page and no charts but those of an earlier report.

    Args:
        out: As it was typed for ``--out``.

    Raises:
        ConfigError: It holds others.
    """
    page, charts = out / PAGE, out / FOLDER
    if page.exists() and not (page.is_file() and GENERATOR in page.read_bytes()[:HEAD]):
        raise ConfigError(f"--out {out}: its {PAGE} is none that vitcli report wrote; name another folder")
    if not page.exists() and charts.exists() and not (charts.is_dir() and not any(charts.iterdir())):
        raise ConfigError(f"--out {out}: its {FOLDER}/ would receive charts, and is not empty; name another folder")


def evaluated(material: Material) -> Evaluation:
    """The numbers of a table; the temperature is fitted on val, and that of the run's val is used for its test."""
    origin = material.origin
    temperature = None if origin.run is None or origin.split != "test" else temperature_of(origin.run)
    return evaluate(
        material.scored,
        tables=[str(origin.table)],
        temperature=temperature,
        fit_temperature=origin.split == "val",
        seen=material.trained_on,
    )


def _other(typed: str, split: str | None, columns: Mapping[str, str] | None) -> tuple[Material, Evaluation]:
    origin = find_origin(typed, split)
    material = gather(origin, read_scored(origin.table, columns))
    return material, evaluated(material)


def _view(
    material: Material,
    evaluation: Evaluation | None,
    others: Sequence[tuple[Material, Evaluation]],
    charts: Charts,
    explains: Explains | None,
) -> View:
    scored, origin = material.scored, material.origin
    shots = Shots(scored, Thumbnails(material.opens, THUMBNAILS), Overlays(explains, material.opens))
    sliding_of = sliding(scored, evaluation.binary.advice if evaluation is not None and evaluation.binary else ())
    first = [gallery.mistakes(shots), gallery.successes(shots)] if evaluation is not None else [gallery.unsure(shots)]
    if evaluation is not None and evaluation.doubtful:
        first.append(gallery.doubtful(shots, evaluation))
    comparison = compared(material, evaluation, others, shots, charts) if others and evaluation is not None else None
    matrix = heat(shots) if evaluation is not None and len(evaluation.classes) > 1 else None
    by_class = gallery.by_class(shots) if evaluation is None else []
    view = View(
        name=name_of(origin),
        split=origin.split,
        answer=answer(evaluation, origin.split) if evaluation is not None else answer_without_labels(scored),
        evaluation=evaluation,
        comparison=comparison,
        training=training.training_charts(charts, material.curves) if material.curves is not None else (),
        best=_best(material.curves),
        heat=matrix,
        galleries=[shown for shown in first if shown.shots or shown.name == "mistakes"],
        by_class=by_class,
        calibration=_calibration(charts, scored, evaluation),
        sliding=sliding_of,
        threshold_charts=_binary(charts, evaluation),
        data=view_data(material, charts),
        run=view_run(material) if origin.run is not None else None,
        about=material.about,
        folder=FOLDER,
    )
    if evaluation is not None:
        scores.class_scores(charts, evaluation)
        scores.confusion(charts, scored.classes, np.array(evaluation.confusion, dtype=np.int64))
    return replace(
        view, pictures=_pictures(shots.thumbnails, material), overlays=shots.overlays.told, charts=tuple(charts.names)
    )


def _best(curves: Curves | None) -> str:
    if curves is None or curves.best is None:
        return ""
    epoch, value = curves.best
    return f"The best epoch is {epoch:g}, with {curves.monitor} {value:.4f}: its weights are best.ckpt."


def _calibration(charts: Charts, scored: Scored, evaluation: Evaluation | None) -> list[Chart]:
    drawn = []
    if evaluation is not None and evaluation.calibration is not None:
        drawn.append(scores.reliability(charts, evaluation.calibration, evaluation.calibrated))
    if np.isfinite(scored.confidence).any():
        drawn.append(scores.confidences(charts, scored))
    return drawn


def _binary(charts: Charts, evaluation: Evaluation | None) -> list[Chart]:
    return scores.binary_charts(charts, evaluation.binary) if evaluation is not None and evaluation.binary else []


def _pictures(thumbnails: Thumbnails, material: Material) -> str:
    """How many pictures the page holds, and why not more."""
    if material.opens is None or (thumbnails.missing and not thumbnails.shown):
        return (
            "The pictures are not where they were when the table was written, so that only their paths are shown; "
            "vitcli report --images FOLDER says where they are."
        )
    gone = f"; {counted(thumbnails.missing, 'picture')} could not be read" if thumbnails.missing else ""
    return (
        f"The page holds {counted(thumbnails.shown, 'small picture')} of {counted(len(material.scored), 'image')}, "
        f"{THUMBNAILS} at most, so that it stays small enough to be sent and opened{gone}."
    )
