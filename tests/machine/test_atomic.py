"""A file is whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitcli.machine.atomic import keep_previous, replacing


def test_a_file_takes_its_place_when_it_is_whole_and_one_that_fails_leaves_nothing(tmp_path: Path):
    path = tmp_path / "file"
    for text in ("one", "two"):
        with replacing(path) as part:
            part.write_text(text)
            assert not path.exists() or path.read_text() != text
        assert path.read_text() == text
    with pytest.raises(TypeError), replacing(path) as part, part.open("w") as file:
        file.writelines(["half", None])
    assert path.read_text() == "two"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_of_the_system_names_the_file_that_was_to_be_and_not_its_temporary_name(tmp_path: Path):
    path = tmp_path / "not made" / "file"
    with pytest.raises(FileNotFoundError) as raised, replacing(path) as part:
        part.write_text("lost")
    assert raised.value.filename == str(path)
    # what else went wrong meanwhile keeps its own name
    with pytest.raises(FileNotFoundError) as raised, replacing(tmp_path / "file"):
        (tmp_path / "other").read_text()
    assert raised.value.filename == str(tmp_path / "other")


def test_keeping_nothing_says_so(tmp_path: Path):
    assert keep_previous(tmp_path / "none.csv") is None
