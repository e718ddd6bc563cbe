"""A config is built and dumped by the names that the installed jsonargparse has, whichever version it is."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass

import pytest
from jsonargparse import ArgumentParser

from vitcli.cli import built as names
from vitcli.cli.built import as_json, built


@dataclass
class Size:
    """A thing that a config describes."""

    side: int = 3
    name: str | None = None


@pytest.mark.parametrize(
    "is_new", [names.HAS_NEW_NAMES, pytest.param(False, marks=pytest.mark.filterwarnings("ignore::DeprecationWarning"))]
)
def test_a_config_is_built_and_dumped_with_what_is_null(is_new: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("JSONARGPARSE_DEPRECATION_WARNINGS", "all")
    # the names before 4.49 are still there, and warn
    monkeypatch.setattr(names, "HAS_NEW_NAMES", is_new)
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Size, "size")
    with warnings.catch_warnings():
        if is_new:
            warnings.simplefilter("error")
        config = parser.parse_args(["--size.side=4"])
        assert built(parser, config).size == Size(side=4)
        assert json.loads(as_json(parser, config)) == {"size": {"side": 4, "name": None}}
