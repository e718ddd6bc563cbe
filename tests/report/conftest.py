"""One browser for all tests of pages, and pages that several of them look at."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.report.tables import HOSTILE, drawn_rows, write_table


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium without a window; tests of pages are skipped, visibly, where there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no chromium on this machine; install Debian's package")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        running = started.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


@pytest.fixture(scope="session")
def cats_and_dogs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report of 120 cats and dogs, of which some pictures lie beside the table, and one is broken."""
    from tests.conftest import photo
    from vitcli.report.write import write_report

    folder = tmp_path_factory.mktemp("cats-and-dogs")
    rows = drawn_rows(("cat", "dog"), 120)
    table = write_table(folder / "table.csv", ("cat", "dog"), rows, [("cat/cut.png", "cat", "truncated")])
    for number, (path, *_) in enumerate(rows[:80]):
        (folder / path).parent.mkdir(exist_ok=True)
        photo(number).save(folder / path)
    write_report(None, table, folder)
    return folder


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report whose classes and files are named to run scripts."""
    from vitcli.report.write import write_report

    folder = tmp_path_factory.mktemp("hostile")
    rows = [
        (f"{HOSTILE[number % 4]}/{number}\u202e.png", label, probabilities)
        for number, (_, label, probabilities) in enumerate(drawn_rows(HOSTILE, 40, right=0.6))
    ]
    broken = [(f"{HOSTILE[1]}.png", HOSTILE[0], f"not an image {HOSTILE[0]}")]
    write_report(None, write_table(folder / "table.csv", HOSTILE, rows, broken), folder)
    return folder
