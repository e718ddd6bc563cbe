"""Several paths are one word, whatever letters they have, and are the same paths again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from jsonargparse import ArgumentParser

from vitcli.data import UnlabelledData
from vitcli.errors import ConfigError
from vitcli.images.source.roots import as_one, one_path, roots_of

# what YAML, or an escape of ours, could take for something else
ODD = [
    *("a b.jpg", "a,b", "[x]", "{y", "a: b", "#c", "*.jpg", "&d", "!e", "'f'", '"g"', "é", "\U0001f600.jpg"),
    *("back\\slash", "b\\xff", "tab\t", "line\nend", "\x85", "\u2028", os.fsdecode(b"\xff.jpg")),
]


@pytest.mark.parametrize("paths", [ODD, *([path] for path in ODD)])
def test_a_parser_hands_them_on_as_they_were(paths: list[str]) -> None:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(UnlabelledData, "data", skip={"options"})
    assert roots_of(parser.parse_args(["--data.root", as_one(paths)]).data.root) == tuple(paths)


def test_a_plain_path_stays_as_it_is() -> None:
    assert as_one(["photos/a.jpg"]) == "photos/a.jpg"


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert roots_of(as_one(["~/a.jpg", "b"])) == roots_of(("~/a.jpg", "b")) == (str(tmp_path / "a.jpg"), "b")


def test_what_takes_one_path_says_so() -> None:
    assert one_path("photos", "FolderData") == "photos"
    with pytest.raises(ConfigError) as error:
        one_path(as_one([f"{number}.jpg" for number in range(9)]), "Taker")
    assert str(error.value) == (
        "data.root 0.jpg 1.jpg 2.jpg 3.jpg 4.jpg and 4 more: Taker takes one path; only UnlabelledData takes several"
    )
