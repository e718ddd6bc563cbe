"""Charts inside of a page: no style attributes, no shared ids, colours of the page; matplotlib as it was afterwards."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib as mpl
import pytest

from vitcli.report.charts.easel import Chart, Charts, house_style
from vitcli.report.charts.palette import INK, RIGHT, VARIABLES, WRONG
from vitcli.report.page import HERE


@pytest.fixture
def drawn(tmp_path: Path) -> tuple[Charts, list[Chart]]:
    charts = Charts(tmp_path / "report")
    with house_style():
        shown = [
            charts.draw(
                name, name, 'told "so"', lambda axes: axes.plot([0, 1], [1, 0], "o-", color=RIGHT, label="$\\frac{")
            )
            for name in ("one", "two")
        ]
    return charts, shown


def test_an_inline_chart_has_classes_and_variables_in_place_of_styles_and_colours(drawn: tuple[Charts, list[Chart]]):
    charts, shown = drawn
    for chart in shown:
        assert " style=" not in chart.svg
        assert "<style" not in chart.svg
        assert "<metadata" not in chart.svg
        used = set(re.findall(r'class="([^"]*)"', chart.svg))
        assert used <= set(re.findall(r"\.(g\d+)\{", charts.css))
    assert "var(--right)" in charts.css
    assert not re.search(f"{INK}|{RIGHT}|{WRONG}", charts.css, re.IGNORECASE)


def test_charts_share_no_id_and_every_reference_is_their_own(drawn: tuple[Charts, list[Chart]]):
    one, two = (set(re.findall(r' id="([^"]*)"', chart.svg)) for chart in drawn[1])
    assert one
    assert not one & two
    for chart, ids in zip(drawn[1], (one, two), strict=True):
        assert set(re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', chart.svg)) <= {(i, "") for i in ids} | {
            ("", i) for i in ids
        }


def test_a_chart_says_what_it_shows(drawn: tuple[Charts, list[Chart]]):
    assert 'role="img" aria-label="told &#34;so&#34;"' in drawn[1][0].svg


def test_the_page_has_every_colour_of_the_charts_in_light_and_dark():
    css = (HERE / "report.css").read_text(encoding="utf-8")
    light, dark = css.split("@media screen and (prefers-color-scheme: dark)")[:2]
    for colour, variable in VARIABLES.items():
        assert f"{variable}: {colour}" in light
        assert f"{variable}: #" in dark


def test_the_users_matplotlibrc_changes_no_chart_and_is_as_it_was_afterwards(tmp_path: Path):
    def draw() -> str:
        with house_style():
            return Charts(None).draw("a", "a", "a", lambda axes: axes.plot([0, 1])).svg

    before = draw()
    with mpl.rc_context({"axes.facecolor": "black", "lines.linewidth": 9, "text.usetex": True}):
        assert draw() == before
        assert mpl.rcParams["lines.linewidth"] == 9
