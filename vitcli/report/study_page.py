"""The page of a search: a study as one file of HTML in the style of the report, with its charts beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vitcli.machine.atomic import replacing
from vitcli.report.charts.easel import Charts, house_style
from vitcli.report.charts.study import study_charts
from vitcli.report.page import render_page
from vitcli.report.study_view import StudyView


def write_study(view: StudyView, page: Path) -> None:
    """Write the page, and its charts into a folder of its name beside it.

    Args:
        view: Of the study; its charts are drawn here.
        page: The file, which is there as a whole or not at all.
    """
    charts = Charts(page.with_suffix(""))
    with house_style():
        drawn = study_charts(charts, view)
    shown = replace(view, charts=drawn)
    text = render_page("study.html", charts.css, view=shown, folder=page.stem)
    with replacing(page) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace")
