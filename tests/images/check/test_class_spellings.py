"""Names of classes that differ in spelling alone are found, and others are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.images.check.test_findings import checked, kinds
from vitcli.images.check.class_spellings import spelled_alike


@pytest.mark.parametrize(
    ("names", "alike"),
    [
        (("cat", "Cat", "dog"), [("cat", "Cat")]),
        (("1", "2", "2.0", "02"), [("2", "2.0", "02")]),
        (("hot dog", "hot-dog", "hotdog", "HOT_DOG"), [("hot dog", "hot-dog", "hotdog", "HOT_DOG")]),
        (("STRASSE", "straße"), [("STRASSE", "straße")]),
        (("a", "A", "_", "-"), []),
        (("--", "__"), []),
        (("1", "-1", "1a", "nan", "cat", "cats"), []),
    ],
)
def test_names_that_differ_in_spelling_alone_are_one_group(names: tuple[str, ...], alike: list[tuple[str, ...]]):
    assert [set(group) for group in spelled_alike(names)] == [set(group) for group in alike]


def test_check_notes_classes_that_may_be_one(here: Path, write_photos, capsys: pytest.CaptureFixture[str]):
    for first, name in enumerate(("hot dog", "Hot Dog", "cat")):
        write_photos(*(f"photos/{name}/{number}.png" for number in range(6)), first=10 * first, size=(40, 40))
    content = checked("photos", code=0)
    assert "may be one class; rename what is misspelt" in kinds(content, "notes")["spelling"]["what"]
    assert "'Hot Dog'" in capsys.readouterr().out
