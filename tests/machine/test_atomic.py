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


def test_keeping_nothing_says_so(tmp_path: Path):
    assert keep_previous(tmp_path / "none.csv") is None
