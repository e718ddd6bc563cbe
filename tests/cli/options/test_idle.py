"""What would be ignored is refused in a line that names it, its value, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from jsonargparse import Namespace
from lightning.pytorch.callbacks import ModelCheckpoint

from tests.cli.options.parsers import classes_of, options_of, parser_of
from tests.conftest import CPU
from tests.test_cli import FIT
from vitcli.__main__ import main
from vitcli.cli.idle import IDLE, NEEDS, idle, refuse_idle, typed
from vitcli.cli.trainer.arguments import LINKED, read_arguments
from vitcli.cli.trainer.settings import trainer_settings
from vitcli.cli.usage import VERBS
from vitcli.errors import ConfigError

CONFIGURED = [verb for verb in VERBS if "data" in options_of(verb)]


@pytest.mark.parametrize("verb", CONFIGURED)
def test_every_option_without_use_for_a_verb_is_refused_in_one_line(verb: str) -> None:
    for option in options_of(verb):
        for kind in classes_of(verb, option) or ("",):
            for weights in (False, True):
                if (why := idle(verb, option, data=kind, weights=weights)) is None:
                    continue
                config = Namespace(data=Namespace(class_path=f"vitcli.data.{kind}"))
                with pytest.raises(ConfigError) as refused:
                    refuse_idle(verb, [f"--{option}", "5"], config, weights=weights)
                assert str(refused.value) == f"{option} 5: {why}"
                assert "; " in why
                assert "\n" not in why
                assert "{" not in why


def test_what_the_table_of_idle_settings_names_is_there() -> None:
    every = {option for verb in CONFIGURED for option in options_of(verb)}
    for key in [key for rule in IDLE for key in rule.keys] + list(NEEDS) + [other for other, _, _ in NEEDS.values()]:
        assert any(option == key or option.startswith(f"{key}.") for option in every), key


@pytest.mark.parametrize("verb", [verb for verb in CONFIGURED if VERBS[verb].trains])
def test_every_option_that_follows_from_another_is_refused(verb: str) -> None:
    for option in options_of(verb):
        if option.removeprefix("data.").partition(".")[0] in LINKED and option.startswith("data."):
            for word in (f"--{option}=5", f"--data.init_args.{option.removeprefix('data.')}=5"):
                with pytest.raises(ConfigError, match=rf"^{option}: follows from "):
                    read_arguments(verb, [word])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["predict", "--trainer.max_epochs", "3"], "trainer.max_epochs 3: acts in training only, and predict trains"),
        (["validate", "--trainer={max_epochs: 3}"], "trainer.max_epochs 3: acts in training only, and validate trains"),
        (["test", "--checkpoint.monitor", "val/loss"], "checkpoint.monitor val/loss: acts in training only, and test"),
        (["test", "--data.augment.flip=0"], "data.augment.flip 0: acts in training only, and test trains nothing;"),
        (["predict", "--data.init_args.cache_dir", "x"], "data.cache_dir x: predict keeps no index of the images; "),
        (
            ["validate", "--data.test_fraction", "0.5"],
            "data.test_fraction 0.5: validate takes the images of val; leave",
        ),
    ],
    ids=lambda words: words[0] if isinstance(words, list) else "",
)
def test_what_would_be_ignored_ends_a_verb_before_it_writes(
    copied: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(copied.rglob("*"))
    assert main([words[0], "--ckpt_path", str(copied), "--data.root", "photos", *words[1:], *CPU]) == 2
    assert capsys.readouterr().err.startswith(f"vitcli {words[0]}: error: {told}")
    assert sorted(copied.rglob("*")) == before


def test_a_folder_is_no_table(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "--ckpt_path", str(copied), "--data.root", "photos", "--predictions.path", "photos"]) == 2
    assert "predictions.path photos: is a folder; name a file in it" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["barebones=true", "enable_checkpointing=false", "use_distributed_sampler=true"])
def test_what_a_run_cannot_do_without_is_refused_whatever_the_verb(option: str) -> None:
    name, _, value = option.partition("=")
    parser: Any = parser_of("fit")
    config = parser.get_defaults().trainer
    config[name] = value == "true"
    with pytest.raises(ConfigError, match=rf"^trainer\.{name} {value}: .*leave it out|set checkpoint.save_top_k 0"):
        trainer_settings(config, torch.nn.Linear(1, 1), "runs", [], ModelCheckpoint())


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--data.augment.magnitude 5", "data.augment.magnitude 5: acts beside data.augment.policy rand only, and "),
        (
            "--data.cache_size 20",
            "data.cache_size 20: acts not beside data.cache none, and data.cache is none; change ",
        ),
        ("--model.net.pool_score additive", "model.net.pool_score additive: acts beside model.net.pool attention only"),
        ("--trainer.sync_batchnorm true", "trainer.sync_batchnorm true: the net has no batch norm; leave it out"),
        ("--trainer.logger true", "trainer.logger true: metrics.csv is always written; name a logger"),
        ("--predictions.path x.csv", "predictions.path x.csv: fit ends with the table of val as it is by default; "),
    ],
)
def test_what_acts_beside_another_setting_only_is_refused_without_it(
    words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*FIT, *words.split()]) == 2
    assert capsys.readouterr().err.startswith(f"vitcli fit: error: {told}")
    assert not Path("runs/photos").exists()


def test_a_config_may_hold_what_another_verb_is_for(copied: Path) -> None:
    Path("both.yaml").write_text("trainer: {max_epochs: 3}\ncheckpoint: {monitor: val/loss}\n")
    assert main(["validate", "--config", "both.yaml", "--ckpt_path", str(copied), *CPU]) == 0


def test_settings_are_found_inside_a_group_that_is_typed_as_a_whole() -> None:
    words = ["--data={class_path: FolderData, init_args: {cache: ram}}", "--trainer.max_epochs", "3", "--data", "{"]
    assert [key for key, _ in typed(words)] == [
        "data", "data.class_path", "data", "data.cache", "trainer.max_epochs", "data",
    ]  # fmt: skip
