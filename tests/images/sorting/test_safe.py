"""Names of folders and files are safe on any disk, distinct, and the same each time."""

from __future__ import annotations

import unicodedata

import pytest

from vitcli.images.sorting.safe import MOST_BYTES, file_names, folder_names

HOSTILE = [
    *("../x", "/", ".", "..", "", "\0", "a/b", "a\\b", "x" * 5000, "é" * 300, "con", "CON.txt", "a.", " a ", "\x1b[2J"),
    *("\u202e", ".hidden", "-rf", "a\rb", "unsure", "Unsure", "unreadable", "\udcff", "x" * 4999, "_", "__"),
]


def is_safe(name: str) -> bool:
    return (
        0 < len(name.encode()) <= MOST_BYTES
        and not set(name) & set('/\\:*?"<>|')
        and name.isprintable()
        and not name.startswith((".", " "))
        and not name.endswith((".", " "))
    )


def test_plain_names_stay_as_they_are() -> None:
    names = ["cat", "Wire-haired terrier", "42", "größe", "犬", "a.b", "-rf"]
    assert folder_names(names) == {name: name for name in names}


def test_hostile_names_are_safe_and_distinct_where_case_is_one() -> None:
    names = folder_names(HOSTILE, ("unsure", "unreadable"))
    assert list(names) == HOSTILE
    assert [name for name in names.values() if not is_safe(name)] == []
    keys = {unicodedata.normalize("NFC", name).casefold() for name in names.values()}
    assert len(keys) == len(HOSTILE)
    assert not keys & {"unsure", "unreadable"}


def test_names_that_differ_in_case_or_in_how_they_are_composed_have_two_folders() -> None:
    names = folder_names(["Cat", "cat", "caf\u00e9", "cafe\u0301"])
    assert names["Cat"] == "Cat"
    assert names["caf\u00e9"] == "caf\u00e9"
    assert names["cat"].startswith("cat-")
    assert len({unicodedata.normalize("NFC", name).casefold() for name in names.values()}) == 4


def test_a_class_that_is_named_like_the_mark_of_another_has_a_folder_of_its_own() -> None:
    marked = folder_names(["Cat", "cat"])["cat"]
    assert len(set(folder_names([marked, "Cat", "cat"]).values())) == 3


@pytest.mark.parametrize(
    ("path", "name"), [("1.jpg", "1.jpg"), ("a/1.jpg", "a__1.jpg"), ("./a//b c/1.JPG", "a__b c__1.JPG"), ("x", "x")]
)
def test_a_file_is_named_by_its_path(path: str, name: str) -> None:
    first, second = file_names(path)
    assert first == name
    assert second != name


def test_no_two_paths_have_one_name() -> None:
    paths = ["a/b.jpg", "a__b.jpg", "a/_b.jpg", "a_/b.jpg", "../a/b.jpg", "/a/b.jpg", "a/../b.jpg", "A/b.jpg", *HOSTILE]
    paths += [f"{'d' * 300}/{number}.jpg" for number in range(3)]
    paths += [f"{number}/{'f' * 250}.jpeg" for number in range(3)]
    firsts, seconds = zip(*map(file_names, paths), strict=True)
    assert len(set(firsts)) == len(set(seconds)) == len(paths)
    assert [name for name in (*firsts, *seconds) if not is_safe(name)] == []
    assert file_names(f"{'d' * 300}/1.jpg")[0].endswith(".jpg")
