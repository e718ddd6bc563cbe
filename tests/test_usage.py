from __future__ import annotations

import subprocess
import sys

import pytest

from vitcli import __version__
from vitcli.__main__ import main
from vitcli.cli import usage


@pytest.mark.parametrize("words", [["--help"], ["--version"], [], ["fit", "-h"], ["predict", "--help"], ["tset"]])
def test_help_and_version_never_import_torch(words: list[str]):
    code = (
        f"import sys; from vitcli.__main__ import main; main({words!r}); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'numpy', 'lightning', 'jsonargparse')))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {verb} " in text for verb in usage.VERBS)


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"vitcli {__version__}\n"


def test_a_misspelt_verb_is_named_with_the_nearest(capsys: pytest.CaptureFixture[str]):
    assert main(["tset"]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "'tset'" in captured.err
    assert "'test'" in captured.err


@pytest.mark.parametrize("verb", usage.VERBS)
def test_short_help_has_a_dozen_options_and_an_example(verb: str):
    text = usage.of_verb(verb)
    assert 8 <= len(usage.SHORT[verb]) <= 20
    assert f"vitcli {verb} " in text


def test_every_option_of_the_short_help_exists(capsys: pytest.CaptureFixture[str]):
    from vitcli.cli.trainer.command import run
    from vitcli.cli.verbs import check as checking
    from vitcli.cli.verbs import import_weights as importing

    assert set(usage.SHORT["import"]) <= set(importing._parser()._option_string_actions)
    of_check = {option for option in usage.SHORT["check"] if not option.startswith("--data.")}
    assert of_check <= set(checking._parser()._option_string_actions)
    for verb in set(usage.VERBS) - {"import", "check"}:
        with pytest.raises(SystemExit) as stopped:
            run(verb, ["--help-all"])
        assert stopped.value.code == 0
        whole = capsys.readouterr().out
        for option in usage.SHORT[verb]:
            nested = option.startswith(("--data.", "--model.net.backend."))
            assert f"{option} " in whole or f"{option}=" in whole or nested, option


def test_the_options_of_a_data_class_are_listed(capsys: pytest.CaptureFixture[str]):
    from vitcli.cli.trainer.command import run

    with pytest.raises(SystemExit):
        run("fit", ["--data.help", "FolderData"])
    text = capsys.readouterr().out
    for option in usage.OPTIONS:
        if option.startswith("--data."):
            assert option in text


def test_a_verb_builds_only_its_own_parser(monkeypatch: pytest.MonkeyPatch):
    from lightning.pytorch.cli import LightningCLI

    from vitcli.cli.trainer.command import run

    built = []
    init = LightningCLI.init_parser
    monkeypatch.setattr(LightningCLI, "init_parser", lambda self, **kwargs: built.append(1) or init(self, **kwargs))
    with pytest.raises(SystemExit):
        run("fit", ["--help-all"])
    assert len(built) == 1
