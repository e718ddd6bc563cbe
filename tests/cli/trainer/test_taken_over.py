"""The config.yaml of a stranger's run is read like a checkpoint: what runs code or writes elsewhere is not taken."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightning.pytorch import callbacks, loggers, profilers

from tests.conftest import CPU
from vitcli.__main__ import main
from vitcli.cli.trainer.imports import TAKE_FUNCTIONS
from vitcli.cli.trainer.taken_over import PLAIN, WHOLE, taken_over
from vitcli.errors import ConfigError
from vitcli.run import Run

CANARY = """
import pathlib
pathlib.Path("imported").touch()
from lightning.pytorch.callbacks import Callback
class X(Callback): pass
def touch(*_, **__): pathlib.Path("called").touch()
"""
LAMBDA = {
    "class_path": "lightning.pytorch.callbacks.LambdaCallback",
    "init_args": {"setup": "canary_of_run.touch"},
}
X = {"class_path": "canary_of_run.X", "init_args": {}}
GO_ON = ["--trainer.max_epochs=2", *CPU]


@pytest.fixture
def canary(here: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that says when it is imported, and when its function is called."""
    Path("canary_of_run.py").write_text(CANARY)
    monkeypatch.syspath_prepend(str(here))
    monkeypatch.delitem(sys.modules, "canary_of_run", raising=False)
    return "canary_of_run"


def is_untouched() -> bool:
    return "canary_of_run" not in sys.modules and not Path("imported").exists() and not Path("called").exists()


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Run]:
    """A function that writes the config.yaml of a run; keys such as data.init_args.root by their sections."""

    def written(key: str, value: Any) -> Run:
        content: Any = value
        for name in reversed(key.split(".")):
            content = {name: content}
        # a whole config has all sections, the last ones without anything to take over here
        content = {name: {} for name in WHOLE} | content
        folder = tmp_path / "runs" / "strange"
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(yaml.safe_dump(content))
        return Run(folder)

    return written


ASKED: list[tuple[str, Any]] = [
    ("trainer.callbacks", [X]),
    ("trainer.callbacks", "canary_of_run.X"),
    ("trainer.callbacks", ["canary_of_run.X"]),
    ("trainer.callbacks", [LAMBDA]),
    ("trainer.callbacks", "LambdaCallback"),
    ("trainer.callbacks", [{"class_path": "EarlyStopping", "init_args": {"monitor": X}}]),
    ("trainer.callbacks", [{"class_path": "lightning.pytorch.callbacks.x.y.LambdaCallback"}]),
    ("trainer.callbacks", [{"init_args": {"setup": "os.getcwd"}}]),
    ("trainer.logger", X),
    ("trainer.logger", [{"class_path": "lightning.pytorch.loggers.MLFlowLogger", "init_args": {"tracking_uri": "x"}}]),
    ("trainer.profiler", X),
    ("trainer.profiler", {"class_path": "lightning.pytorch.profilers.PyTorchProfiler"}),
    ("trainer.strategy", "canary_of_run.X"),
    ("trainer.strategy", X),
    ("trainer.strategy", "SingleDeviceStrategy"),
    ("trainer.accelerator", X),
    ("trainer.plugins", [X]),
    ("trainer.plugins", "canary_of_run.X"),
    ("data", X),
    ("data", "canary_of_run.X"),
    ("data", {"class_path": "torch.hub.load", "init_args": {"repo_or_dir": "x"}}),
    ("data", {"class_path": "vitcli.data.FolderData", "init_args": {"augment": X}}),
    ("checkpoint", X),
    ("checkpoint.dirpath", "/tmp/elsewhere"),
    ("checkpoint.dirpath", "../../elsewhere"),
    ("checkpoint.filename", "../../../elsewhere"),
    ("predictions.path", "notes.csv"),
    ("distill.weights", "timm:hf-hub:somebody/net"),
    ("predictions.sort_into", "~/sorted"),
    ("trainer.default_root_dir", "/tmp"),
    ("trainer.logger", {"class_path": "CSVLogger", "init_args": {"save_dir": "/tmp"}}),
    ("data.init_args.cache_dir", "/tmp"),
    ("trainer.callbacks", [{"class_path": "ModelCheckpoint", "init_args": {"dirpath": "a\0b"}}]),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), ASKED, ids=str)
def test_what_could_run_code_or_write_elsewhere_is_asked_again(run: Callable[..., Run], key: str, value: Any):
    with pytest.raises(
        ConfigError, match=r"^--ckpt_path .*strange: .* is not taken from a run's config\.yaml; type --"
    ):
        taken_over(run(key, value), "fit", [])


@pytest.mark.parametrize(("key", "value"), ASKED, ids=str)
def test_what_the_user_types_replaces_it(run: Callable[..., Run], key: str, value: Any):
    own = run(key, value)
    with pytest.raises(ConfigError) as caught:
        taken_over(own, "fit", [])
    asked = str(caught.value).partition("strange: ")[2].split()[0].rstrip(":")
    assert "canary" not in str(taken_over(own, "fit", [asked]))


TAKEN: list[tuple[str, Any]] = [
    ("trainer.callbacks", [{"class_path": "lightning.pytorch.callbacks.EarlyStopping", "init_args": {"monitor": "x"}}]),
    ("trainer.callbacks", [{"class_path": "GradientAccumulationScheduler", "init_args": {"scheduling": {"0": 2}}}]),
    ("trainer.logger", {"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": {"save_dir": "runs/x"}}),
    ("trainer.strategy", "ddp_find_unused_parameters_false"),
    ("trainer.precision", "16-mixed"),
    ("trainer.profiler", "simple"),
    ("data", {"class_path": "vitcli.data.FolderData", "init_args": {"root": "/anywhere/../photos", "cache_dir": None}}),
    ("data.init_args.cache_dir", "runs/.cache"),
    ("checkpoint.monitor", "val/loss"),
    ("distill.weights", "/anywhere/../runs/teacher"),
    ("distill.weights", "timm:deit_tiny_patch16_224"),
    ("seed_everything", 5),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), TAKEN, ids=str)
def test_plain_values_and_known_classes_are_taken_over(
    run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: str, value: Any
):
    monkeypatch.chdir(tmp_path)
    own = run(key, value)
    content = yaml.safe_load((own.folder / "config.yaml").read_text())
    content.pop("model")
    assert taken_over(own, "fit", []) == content


def test_a_package_that_the_user_opens_is_taken_over(run: Callable[..., Run]):
    assert taken_over(run("trainer.callbacks", [X]), "fit", [], ["canary_of_run"])["trainer"] == {"callbacks": [X]}


def test_the_model_is_what_the_checkpoint_says(run: Callable[..., Run]):
    assert taken_over(run("model.net", {"dim": 10**9, "backend": X}), "fit", []) == {
        name: {} for name in WHOLE if name != "model"
    }


def test_test_and_validate_take_the_images_and_the_precision_alone(run: Callable[..., Run]):
    own = run("trainer", {"callbacks": [LAMBDA], "precision": "bf16-mixed"})
    for verb in ("test", "validate"):
        assert taken_over(own, verb, []) == {"data": {}, "trainer": {"precision": "bf16-mixed"}}


@pytest.mark.parametrize("verb", ["fit", "test", "validate"])
def test_a_strangers_run_runs_nothing_of_its_own(copied: Path, canary: str, verb: str, capsys):
    config = yaml.safe_load((copied / "config.yaml").read_text())
    config["trainer"]["callbacks"] = [LAMBDA]
    config["data"]["class_path"] = f"{canary}.X"
    (copied / "config.yaml").write_text(yaml.safe_dump(config))
    assert main([verb, "--ckpt_path", str(copied), *(GO_ON if verb == "fit" else CPU)]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"vitcli {verb}: error: --ckpt_path runs/photos: ")
    assert len(told.splitlines()) == 1
    assert is_untouched()


def test_a_run_goes_on_with_callbacks_that_are_typed_again(copied: Path, canary: str):
    config = yaml.safe_load((copied / "config.yaml").read_text())
    config["trainer"]["callbacks"] = [LAMBDA]
    (copied / "config.yaml").write_text(yaml.safe_dump(config))
    words = ["fit", "--ckpt_path", str(copied), *GO_ON, "--trainer.callbacks+=LambdaCallback"]
    assert main([*words, "--trainer.callbacks.on_fit_start", f"{canary}.touch", "--allow-import", canary]) == 0
    assert Path("called").exists()


def takes_a_function(kind: type) -> bool:
    if "__init__" not in vars(kind) or kind is object:
        return False
    hints = [str(each.annotation) for each in inspect.signature(vars(kind)["__init__"]).parameters.values()]
    return any("Callable" in hint or "AvgFn" in hint or "_AVG_FN" in hint for hint in hints)


ROOMS = {"trainer.callbacks": callbacks, "trainer.logger": loggers, "trainer.profiler": profilers}


@pytest.mark.parametrize("key", ROOMS)
def test_no_class_of_lightning_that_takes_a_function_is_taken_over(key: str):
    kinds = [kind for kind in vars(ROOMS[key]).values() if isinstance(kind, type)]
    dangerous = {
        kind.__name__
        for kind in kinds
        for above in kind.__mro__
        if "__init__" in vars(above) and takes_a_function(above)
    }
    assert not dangerous & set(PLAIN[key])
    assert dangerous - {"Profiler"} <= set(TAKE_FUNCTIONS)
    assert set(PLAIN[key]) <= {kind.__name__ for kind in kinds}
