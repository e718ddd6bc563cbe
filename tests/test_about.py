"""about.json: written and read again, whatever is missing or damaged; settings that differ from their defaults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vitcli.about import About, changed_settings

WHOLE = About(
    command=("fit", "--data.root", "a b"),
    versions={"torch": "2.11"},
    machine="CPU",
    parameters=10,
    seconds_a_step=0.25,
    notices=("one\ntwo",),
    counts={"train": {"cat": 3}},
    changed={"trainer.max_epochs": (None, 3), "model.net.image_size": (224, [32, 64])},
)


def test_it_comes_back_as_it_was_written(tmp_path: Path):
    WHOLE.write(tmp_path / "about.json")
    assert About.read(tmp_path / "about.json") == WHOLE
    assert json.loads((tmp_path / "about.json").read_text())["schema_version"] == 1


def test_names_that_are_no_utf8_come_back_too(tmp_path: Path):
    About(images="/data/\udcff").write(tmp_path / "about.json")
    told = About.read(tmp_path / "about.json")
    assert told is not None
    # as ASCII, because a failed test is told in UTF-8
    assert ascii(told.images) == ascii("/data/\udcff")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"changed": 3}', '{"changed": {"a": []}}', '{"command": 1}'])
def test_a_damaged_one_is_as_good_as_none(tmp_path: Path, text: str):
    (tmp_path / "about.json").write_text(text)
    assert About.read(tmp_path / "about.json") is None
    assert About.read(tmp_path / "missing.json") is None


def test_what_an_older_or_newer_one_lacks_or_adds_is_no_matter(tmp_path: Path):
    (tmp_path / "about.json").write_text('{"machine": "CPU", "colour": "green"}')
    assert About.read(tmp_path / "about.json") == About(machine="CPU")


def test_settings_are_compared_by_the_keys_that_people_type():
    config = {"trainer": {"max_epochs": 3, "logger": None}, "data": {"init_args": {"root": "photos"}}, "model": {}}
    defaults = {"trainer": {"max_epochs": None, "logger": None}, "model": {}}
    assert changed_settings(config, defaults) == {"trainer.max_epochs": (None, 3), "data.root": (None, "photos")}
