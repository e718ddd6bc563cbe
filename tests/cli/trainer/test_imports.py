"""A config imports nothing but known packages and those that the user opens."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.conftest import CPU, TINY
from vitcli.__main__ import main
from vitcli.cli.trainer.imports import check_imports, take_allowed
from vitcli.errors import ConfigError

EVIL = """
import pathlib
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import CSVLogger

pathlib.Path("imported").touch()

class X(Callback): pass
"""


@pytest.fixture
def evil(here: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that says when it is imported."""
    name = f"evil_{abs(hash(str(here)))}"
    Path(f"{name}.py").write_text(EVIL)
    monkeypatch.syspath_prepend(str(Path.cwd()))
    return name


FIT = ["fit", "--data.root", "photos", "--trainer.max_epochs", "1", *TINY, *CPU]


@pytest.mark.parametrize(
    "content",
    [
        {"trainer": {"callbacks": [{"class_path": "EVIL.X"}]}},
        {"trainer": {"callbacks": "EVIL.X"}},
        {"trainer": {"logger": {"class_path": "EVIL.X", "init_args": {}}}},
        {"trainer": {"profiler": "EVIL.X"}},
        {"trainer": {"plugins": ["EVIL.X"]}},
        {"model": {"net": {"backend": {"class_path": "EVIL.X"}}}},
        {"data": {"class_path": "EVIL.X"}},
        {"data": "EVIL.X"},
    ],
    ids=str,
)
def test_a_config_that_names_another_package_is_refused_and_nothing_is_imported(
    photos: Path, evil: str, content: dict[str, object], capsys: pytest.CaptureFixture[str]
):
    Path("mine.yaml").write_text(json.dumps(content).replace("EVIL", evil))
    assert main([*FIT, "--config", "mine.yaml"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("vitcli fit: error: --config mine.yaml: ")
    assert told.endswith(f"if you trust it, add --allow-import {evil}\n")
    assert not Path("imported").exists()
    assert evil not in sys.modules


def test_a_package_that_is_opened_is_imported(photos: Path, evil: str):
    Path("mine.yaml").write_text(json.dumps({"trainer": {"callbacks": [{"class_path": f"{evil}.X"}]}}))
    assert main([*FIT, "--config", "mine.yaml", "--allow-import", evil]) == 0
    assert Path("imported").exists()


def test_a_class_path_that_is_typed_is_the_users_word(photos: Path, evil: str):
    assert main([*FIT, f"--trainer.callbacks+={evil}.X"]) == 0
    assert Path("imported").exists()


def test_a_config_cannot_open_a_package(photos: Path, evil: str, capsys: pytest.CaptureFixture[str]):
    Path("mine.yaml").write_text(json.dumps({"allow_import": [evil], "trainer": {"callbacks": f"{evil}.X"}}))
    assert main([*FIT, "--config", "mine.yaml"]) == 2
    assert not Path("imported").exists()


def test_the_config_in_a_strangers_run_opens_nothing(copied: Path, evil: str, capsys: pytest.CaptureFixture[str]):
    config = copied / "config.yaml"
    config.write_text(config.read_text().replace("  callbacks: null", f"  callbacks: {evil}.X"))
    assert main(["fit", "--ckpt_path", str(copied), "--trainer.max_epochs", "2"]) == 2
    assert not Path("imported").exists()


def test_the_option_is_taken_from_the_words():
    words = ["--allow-import", "mine", "--x", "1", "--allow-import=other.part", "--model.net.backend", "my.own.Backend"]
    assert take_allowed(words) == (
        ["--x", "1", "--model.net.backend", "my.own.Backend"],
        ["mine", "other.part", "my.own"],
    )


@pytest.mark.parametrize("words", [["--allow-import"], ["--allow-import="], ["--allow-import", "a b"]])
def test_the_option_needs_the_name_of_a_package(words: list[str]):
    with pytest.raises(ConfigError, match=r"^--allow-import .*: not the name of a package"):
        take_allowed(words)


def test_a_package_is_not_opened_by_one_whose_name_it_begins_with():
    with pytest.raises(ConfigError, match="torchevil is not imported"):
        check_imports("c.yaml", {"trainer": {"logger": {"class_path": "torchevil.X"}}}, ["torche"])
