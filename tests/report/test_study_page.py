"""The page of a search in a browser: numbers in their place, hostile names as text, sorting, nothing loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.report.tables import HOSTILE
from vitcli.report.study_page import write_study
from vitcli.report.study_view import Axis, StudyView, TrialView

pytestmark = pytest.mark.browser

VALUES = [0.80, 0.91, None, 0.55, 0.86, 0.70]
STATES = ["complete", "complete", "failed", "pruned", "complete", "running"]


def view() -> StudyView:
    axes = [Axis("model.optimizer.lr", 1e-4, 1e-2, log=True), Axis("data.x", 0, 1, words=("a", HOSTILE[2]))]
    trials = [
        TrialView(
            number=number,
            name=f"trial-00{number}",
            state=state,
            value=value,
            curve=[0.5, value] if value else [],
            values={"model.optimizer.lr": 1e-3 * (number + 1), "data.x": ("a", HOSTILE[2])[number % 2]},
            typed={"model.optimizer.lr": f"{1e-3 * (number + 1):g}", "data.x": ("a", HOSTILE[2])[number % 2]},
            minutes=number,
            is_baseline=number == 0,
            note=HOSTILE[0] if state == "failed" else "",
        )
        for number, (value, state) in enumerate(zip(VALUES, STATES, strict=True))
    ]
    importances = {"model.optimizer.lr": 0.75, "data.x": 0.25}
    more = {"figures": [("complete", "3")], "importances": importances, "commands": [f"vitcli fit {HOSTILE[1]}"]}
    return StudyView("study", "val/accuracy", False, axes, trials, 1, f"The best {HOSTILE[3]}", [], **more)  # type: ignore[arg-type]


def test_the_page_shows_every_trial_sorts_them_and_loads_nothing(browser: Any, tmp_path: Path):
    write_study(view(), tmp_path / "search.html")
    page = browser.new_context(viewport={"width": 390, "height": 800}).new_page()
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text))
    page.on("dialog", lambda dialog: errors.append(dialog.message))
    page.goto((tmp_path / "search.html").as_uri())
    assert page.eval_on_selector_all("figure figcaption", "all => all.map(one => one.textContent)") == [
        "Trials in their order",
        "Which settings go with good values",
        "Curves of the trials",
        "Importance of the settings",
    ]

    def column(number: int) -> list[str]:
        return page.eval_on_selector_all(
            f"#trials tbody tr > :nth-child({number})", "cells => cells.map(cell => cell.textContent.trim())"
        )

    assert column(2) == ["0.8000", "0.9100", "\u2013", "0.5500", "0.8600", "0.7000"]
    page.click("#trials th button:has-text('val/accuracy')")
    assert column(2) == ["0.9100", "0.8600", "0.8000", "0.7000", "0.5500", "\u2013"]
    assert column(1)[0] == "trial-001 best"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, "nothing is wider than a phone"
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert errors == []
    assert {path.name for path in (tmp_path / "search").iterdir()} == {
        f"{name}.{kind}" for name in ("history", "parallel", "curves", "importances") for kind in ("svg", "png")
    }
    page.context.close()
