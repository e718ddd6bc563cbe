"""Pages that several tests look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.report.tables import HOSTILE, drawn_rows, write_table


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
