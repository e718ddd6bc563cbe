"""A pattern names what a shell would name, in natural order and without links that lead in circles."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from vitcli.errors import DataError
from vitcli.images.source.pattern import is_pattern, matching, spelled_out


@pytest.fixture
def tree(here: Path, write_images: Callable[..., None]) -> Path:
    write_images("p/10.jpg", "p/9.jpg", "p/b.png", "p/.hidden.jpg", "p/in/1.jpg", "p/in/deep/2.jpg", "p/.git/3.jpg")
    return here


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("p/*.jpg", ["p/9.jpg", "p/10.jpg"]),
        ("p/?.jpg", ["p/9.jpg"]),
        ("p/[0-8]*.jpg", ["p/10.jpg"]),
        ("p/[!0-8]*", ["p/9.jpg", "p/b.png", "p/in"]),
        ("p/**/*.jpg", ["p/9.jpg", "p/10.jpg", "p/in/1.jpg", "p/in/deep/2.jpg"]),
        ("**/2.jpg", ["p/in/deep/2.jpg"]),
        ("**/in/**/*.jpg", ["p/in/1.jpg", "p/in/deep/2.jpg"]),
        ("p/**", ["p", "p/in", "p/in/deep"]),
        ("p/*/", ["p/in"]),
        ("*/in/*.jpg", ["p/in/1.jpg"]),
        ("p/.h*", ["p/.hidden.jpg"]),
        ("p/*.JPG", []),
        ("p/b.png/*", []),
        ("gone/*", []),
        ("gone/**", []),
    ],
)
def test_it_matches_as_a_shell_does(tree: Path, pattern: str, found: list[str]) -> None:
    assert sorted(matching(pattern)) == sorted(found)
    assert matching(f"{tree}/{pattern}") == [f"{tree}/{path}" for path in matching(pattern)]


def test_it_names_files_as_it_was_written(tree: Path) -> None:
    assert matching("./p/b.*") == ["./p/b.png"]
    assert matching("*/../p//b.*") == ["p/../p/b.png"]


def test_what_it_matches_is_in_natural_order(tree: Path) -> None:
    assert matching("p/**/*.jpg")[:2] == ["p/9.jpg", "p/10.jpg"]


def test_a_name_that_exists_is_taken_literally(here: Path, write_images: Callable[..., None]) -> None:
    write_images("a[1].jpg", "a1.jpg", "[old]/*.jpg", "[old]/b.jpg", "o/c.jpg")
    assert not is_pattern("a[1].jpg")
    assert spelled_out(["a[1].jpg", "[old]/*.jpg"]) == ["a[1].jpg", "[old]/*.jpg"]
    # a part of a pattern too
    assert matching("[old]/?.jpg") == ["[old]/*.jpg", "[old]/b.jpg"]
    assert matching("[o]/?.jpg") == ["o/c.jpg"]


def test_links_are_entered_by_name_or_if_asked_and_once(tree: Path) -> None:
    (tree / "p" / "loop").symlink_to(tree / "p")
    (tree / "elsewhere").mkdir()
    (tree / "elsewhere" / "4.jpg").touch()
    (tree / "p" / "to").symlink_to(tree / "elsewhere")
    assert matching("p/**/4.jpg") == []
    assert matching("p/*/4.jpg") == ["p/to/4.jpg"]
    assert matching("p/**/4.jpg", follow_links=True) == ["p/to/4.jpg"]


def test_what_names_nothing_is_named(tree: Path) -> None:
    where = f"now in {tree}"
    with pytest.raises(DataError) as error:
        spelled_out(["p", "p/*.gif"])
    assert str(error.value) == f"data.root p/*.gif: matches nothing; check the pattern ({where})"
    with pytest.raises(DataError) as error:
        spelled_out(["p/*.jpg", "p/gone.jpg"])
    assert str(error.value) == f"data.root p/gone.jpg: no such file or folder; check the path ({where})"


def test_names_that_are_no_utf_8_are_matched(here: Path) -> None:
    name = os.fsdecode(b"\xff.jpg")
    Path(name).touch()
    assert matching("*.jpg") == [name]
