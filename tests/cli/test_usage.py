from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from types import ModuleType

import pytest

import vitcli.data
import vitcli.net
from vitcli import __version__
from vitcli.__main__ import main
from vitcli.cli import help_texts, options, usage


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], [], ["fit", "-h"], ["predict", "--help"], ["tset"], ["configs"]]
)
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
def test_short_help_has_an_example_and_at_most_twenty_options(verb: str):
    text = help_texts.of_verb(verb)
    assert f"vitcli {verb} " in text
    assert all(f"  {option} " in text for option in usage.VERBS[verb].options)
    assert len(usage.VERBS[verb].options) <= 20


def test_every_verb_is_done_by_a_module_that_there_is():
    for verb in usage.VERBS.values():
        for module in filter(None, [verb.module, verb.light]):
            assert list(inspect.signature(importlib.import_module(module).run).parameters) == ["verb", "words"]


def test_a_model_that_is_named_takes_the_way_without_torch():
    predict = usage.VERBS["predict"]
    # what is no .onnx is refused there, in a tenth of the time
    for words in ("--model a.onnx", "--model=a.ONNX photos", "a.onnx photos", "photos --model a.pt2", "--model"):
        assert predict.done_by(words.split()) == predict.light
    for words in ("", "photos a.onnx", "--data.root a.onnx", "--model.compile true", "runs/a photos"):
        assert predict.done_by(words.split()) == predict.module
    assert usage.VERBS["fit"].done_by(["--model", "a.onnx"]) == usage.VERBS["fit"].module


def test_every_option_of_the_short_help_exists(capsys: pytest.CaptureFixture[str]):
    from vitcli.cli.trainer.command import run
    from vitcli.cli.verbs import check, import_weights

    assert set(usage.VERBS["import"].options) <= set(import_weights._parser()._option_string_actions)
    of_check = {option for option in usage.VERBS["check"].options if not option.startswith("--data.")}
    assert of_check <= set(check._parser()._option_string_actions)
    for name, verb in usage.VERBS.items():
        if not verb.trains:
            continue
        with pytest.raises(SystemExit) as stopped:
            run(name, ["--help-all"])
        assert stopped.value.code == 0
        whole = capsys.readouterr().out
        for option in verb.options:
            nested = option.startswith(("--data.", "--model.net.backend."))
            assert f"{option} " in whole or f"{option}=" in whole or nested, option


def test_help_names_every_class_that_data_and_backend_may_be():
    assert set(options.CHOICES["--data"]) == public_subclasses(vitcli.data, vitcli.data.ImageData)
    assert set(options.CHOICES["--model.net.backend"]) == public_subclasses(vitcli.net, vitcli.net.Backend)


def public_subclasses(room: ModuleType, base: type) -> set[str]:
    kinds = {name: kind for name, kind in vars(room).items() if isinstance(kind, type) and issubclass(kind, base)}
    return {name for name, kind in kinds.items() if not inspect.isabstract(kind)}


def test_the_options_of_a_data_class_are_listed(capsys: pytest.CaptureFixture[str]):
    from vitcli.cli.trainer.command import run

    with pytest.raises(SystemExit):
        run("fit", ["--data.help", "FolderData"])
    text = capsys.readouterr().out
    for option in options.OPTIONS:
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
