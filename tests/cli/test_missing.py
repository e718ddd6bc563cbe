"""A verb whose library is not installed says which one, in a line."""

from __future__ import annotations

import sys

import pytest

from vitcli.__main__ import main
from vitcli.cli.missing import missing
from vitcli.cli.verbs import evaluate


def test_the_package_is_named_by_what_is_to_be_installed() -> None:
    assert "needs pyyaml, which is not installed here; pip install pyyaml" in str(
        missing(ModuleNotFoundError("No module named 'yaml'", name="yaml"))
    )
    assert "needs torch," in str(missing(ModuleNotFoundError("", name="torch.nn")))


def test_a_module_of_the_users_own_is_none_of_ours() -> None:
    assert missing(ModuleNotFoundError("No module named 'mine'", name="mine")) is None
    assert missing(ImportError("cannot import name")) is None
    assert missing(ValueError("another")) is None


def test_a_verb_that_cannot_be_imported_ends_with_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "jsonargparse", None)
    for module in [name for name in sys.modules if name.startswith("vitcli.cli.verbs.check")]:
        monkeypatch.delitem(sys.modules, module)
    assert main(["check", "photos"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("vitcli check: error: needs jsonargparse, which is not installed here; pip install ")
    assert told.count("\n") == 1


def test_a_library_that_a_verb_imports_late_is_told_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lacks(*_: object) -> None:
        raise ModuleNotFoundError("No module named 'pyarrow'", name="pyarrow")

    monkeypatch.setattr(evaluate, "_evaluate", lacks)
    assert main(["evaluate", "table.csv"]) == 2
    assert "needs pyarrow," in capsys.readouterr().err
