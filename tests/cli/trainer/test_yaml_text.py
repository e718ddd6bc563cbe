"""What vitcli writes as YAML it reads back as the same value."""

from __future__ import annotations

import enum
import random
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from lightning.pytorch import callbacks, loggers
from PIL import Image

from tests.conftest import CPU, TINY
from vitcli.__main__ import main
from vitcli.cli.trainer.config_file import load_config
from vitcli.cli.trainer.yaml_text import to_word, to_yaml

NASTY = [
    *("1e3", "5e2", "1_000", "0x1f", "0o7", "12:30", "1:2:3", "~", "=", "<<", "null", "Null", "NULL", "true", "Yes"),
    *("N", "on", "OFF", ".inf", "-.INF", ".nan", "nan", "+1", "-0", "1.", ".5", "2024-01-01", "2024-01-01 10:00:00"),
    *("", " ", "  x", "x ", "a: b", "a #b", "#a", "- x", "-", "?", ":", "a:", "!tag", "&a", "*b", "%x", "@x", "`x"),
    *("{a", "[b", "|", ">", "'", '"', "\\", "\\n", "a\nb", "a\tb", "a\rb", "\x1b[31m", "\x00", "\x7f", "\x85"),
    *("\u2028", "\u202eabc", "é", "日本", "😀", "x" * 300, "1e", "e1", "1e3e", "0b1", "0b12", "_1", "1_", "12e03"),
    *("1E+3", "infinity", "None", "😀🐱", "\\😀", "\\\\😀", "\\ud83d\\ude00", "\\\\ud83d\\ude00", "\U0010ffff"),
]


def readers() -> list[type]:
    from jsonargparse._loaders_dumpers import get_yaml_default_loader

    return [yaml.SafeLoader, get_yaml_default_loader()]


@pytest.mark.parametrize("loader", readers(), ids=["PyYAML's", "jsonargparse's"])
def test_strings_are_read_back_as_they_were_as_values_and_as_keys(loader: type):
    for text in NASTY:
        assert yaml.load(to_yaml({"value": text, "list": [text], "key": {text: 1}}), Loader=loader) == {
            "value": text,
            "list": [text],
            "key": {text: 1},
        }, repr(text)
        assert yaml.load(to_word({text: [text]}), Loader=loader) == {text: [text]}, repr(text)


@pytest.mark.parametrize("loader", readers(), ids=["PyYAML's", "jsonargparse's"])
def test_strings_drawn_by_chance_are_read_back_as_they_were(loader: type):
    rng = random.Random(0)
    alphabet = "0123456789eExXoO_.:+-~=#&*!|>'\"%@`{}[], \n\tabnNyYftTlu\\/éß日\u200f😀"
    for _ in range(2000):
        text = "".join(rng.choice(alphabet) for _ in range(rng.randrange(8)))
        for written in (to_yaml([text]), to_word([text])):
            assert yaml.load(written, Loader=loader) == [text], repr(text)


def test_numbers_paths_and_enumerations_are_written_as_plain_values():
    class Unit(enum.Enum):
        EPOCH = "epoch"

    given = {"lr": 1e-3, "k": (1, 2), "path": Path("a/1e3"), "unit": Unit.EPOCH, "none": None, "flag": True}
    assert yaml.safe_load(to_yaml(given)) == {
        "lr": 1e-3, "k": [1, 2], "path": "a/1e3", "unit": "epoch", "none": None, "flag": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    "names",
    [
        ("1e3", "yes"),
        ("😀", "🐱🐶"),
        *(
            pytest.param(names, marks=pytest.mark.slow)
            for names in (("null", "aa"), ("0x1f", "12:30"), ("1", "01"), ("a b", "ü"))
        ),
    ],
)
def test_the_config_of_a_run_with_such_classes_begins_another(here: Path, names: tuple[str, str]):
    for number, name in enumerate(names):
        (here / "photos" / name).mkdir(parents=True)
        for index in range(6):
            Image.new("RGB", (20, 20), (40 * index, 200 * number, 90)).save(here / "photos" / name / f"{index}.png")
    words = ["--data.root", "photos", "--trainer.max_epochs", "1", *TINY, *CPU]
    assert main(["fit", *words]) == 0
    classes = load_config("runs/photos/config.yaml")["model"]["classes"]
    assert sorted(classes) == sorted(names)
    assert main(["fit", "--config", "runs/photos/config.yaml", "--run.name", "again"]) == 0
    assert load_config("runs/again/config.yaml")["model"]["classes"] == classes
    assert main(["test", "runs/again"]) == 0


REQUIRED = {
    "EarlyStopping": ["--trainer.callbacks.monitor=val/loss"],
    "StochasticWeightAveraging": ["--trainer.callbacks.swa_lrs=1e-3"],
    "GradientAccumulationScheduler": ["--trainer.callbacks.scheduling={0: 2}"],
    "ModelPruning": ["--trainer.callbacks.pruning_fn=l1_unstructured"],
    "Timer": ["--trainer.callbacks.duration=00:00:10:00"],
    "CSVLogger": ["--trainer.logger.save_dir=1e3"],
    "TensorBoardLogger": ["--trainer.logger.save_dir=x"],
}


def lightnings(room: ModuleType, base: type) -> list[str]:
    kinds = {name: kind for name, kind in vars(room).items() if isinstance(kind, type) and issubclass(kind, base)}
    return sorted(name for name, kind in kinds.items() if kind is not base)


def rarely(words: str) -> Any:
    """One of many that are alike is slow, unless it has settings that must be said."""
    return pytest.param(words, marks=() if words.partition("=")[2] in REQUIRED else pytest.mark.slow)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "option",
    [
        *(rarely(f"--trainer.callbacks+={name}") for name in lightnings(callbacks, callbacks.Callback)),
        *(rarely(f"--trainer.logger={name}") for name in lightnings(loggers, loggers.Logger)),
    ],
)
def test_a_printed_config_with_any_callback_or_logger_is_read_back_as_it_was(
    here: Path, option: str, capsys: pytest.CaptureFixture[str]
):
    def printed(*words: str) -> str:
        with pytest.raises(SystemExit):
            main(["fit", *words, "--print_config"])
        return capsys.readouterr().out

    first = printed("--data.root", "photos", option, *REQUIRED.get(option.partition("=")[2], []))
    Path("config.yaml").write_text(first)
    assert printed("--config", "config.yaml") == first
