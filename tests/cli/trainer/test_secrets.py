"""No secret is a setting, so none gets into the folder of a run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import CPU, TINY
from vitcli.__main__ import main
from vitcli.cli.trainer.secrets import is_secret

SECRET = "5ecre7" * 7
FIT = ["fit", "--data.root", "photos", "--trainer.max_epochs", "1", *TINY, *CPU]
WANDB = {"class_path": "WandbLogger", "init_args": {"offline": True}, "dict_kwargs": {"api_key": SECRET}}


def holding(word: str) -> list[Path]:
    """The files here whose name or content holds a word."""
    files = [path for path in Path().rglob("*") if path.is_file() and not path.is_symlink()]
    return [path for path in files if word in path.name or word.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    ("words", "key", "variable"),
    [
        (["--trainer.logger=CSVLogger", f"--trainer.logger.api_key={SECRET}"], "trainer.logger.api_key", "WANDB"),
        (
            ["--trainer.logger", json.dumps(WANDB)],
            "trainer.logger.dict_kwargs.api_key",
            "variable WANDB_API_KEY instead",
        ),
        (["--trainer.logger", json.dumps([WANDB])], "trainer.logger.dict_kwargs.api_key", "WANDB_API_KEY"),
        (
            ["--trainer.logger+=CometLogger", "--trainer.logger.api-key", SECRET],
            "trainer.logger.api-key",
            "COMET_API_KEY",
        ),
        (["--password", SECRET], "password", "WANDB_API_KEY"),
        (
            ["--trainer.logger=MLFlowLogger", "--trainer.logger.tracking_uri", f"https://me:{SECRET}@host/x"],
            "trainer.logger.tracking_uri",
            "MLFLOW_TRACKING_TOKEN",
        ),
    ],
    ids=str,
)
def test_a_secret_that_is_typed_is_refused_in_a_line_without_it(
    photos: Path, words: list[str], key: str, variable: str, capsys: pytest.CaptureFixture[str]
):
    assert main([*FIT, *words]) == 2
    told = capsys.readouterr()
    assert told.err.startswith(
        f"vitcli fit: error: --{key}: a secret would be kept in the run's folder; set the environ"
    )
    assert variable in told.err
    assert SECRET not in told.err + told.out
    assert holding(SECRET) == []
    assert not Path("runs").exists()


def test_a_secret_in_a_config_is_refused_and_goes_no_further(photos: Path, capsys: pytest.CaptureFixture[str]):
    Path("mine.yaml").write_text(json.dumps({"trainer": {"logger": [WANDB]}}))
    assert main([*FIT, "--config", "mine.yaml"]) == 2
    told = capsys.readouterr()
    assert told.err.startswith("vitcli fit: error: --config mine.yaml: trainer.logger.dict_kwargs.api_key: a secret")
    assert SECRET not in told.err + told.out
    assert holding(SECRET) == [Path("mine.yaml")]


def test_a_secret_in_a_runs_own_config_is_refused(copied: Path, capsys: pytest.CaptureFixture[str]):
    config = copied / "config.yaml"
    config.write_text(config.read_text().replace("  logger: null", f"  logger:\n    token: {SECRET}"))
    assert main(["fit", "--ckpt_path", str(copied), "--trainer.max_epochs", "2", *CPU]) == 2
    told = capsys.readouterr()
    assert told.err.startswith(f"vitcli fit: error: --config {config}: trainer.logger.token: a secret")
    assert SECRET not in told.err + told.out


@pytest.mark.slow
def test_a_key_in_the_environment_gets_into_no_file_of_a_run(
    photos: Path, monkeypatch: pytest.MonkeyPatch, vitcli: Callable[..., subprocess.CompletedProcess[str]]
):
    for name in ("WANDB_API_KEY", "COMET_API_KEY", "SOME_PASSWORD"):
        monkeypatch.setenv(name, SECRET)
    # in a process of its own: wandb's service, started once a process, writes below the folder in which it started
    words = ["--trainer.logger=WandbLogger", "--trainer.logger+=CSVLogger", "--trainer.logger.save_dir=runs"]
    ended = vitcli(*FIT, *words)
    assert ended.returncode == 0, ended.stderr
    assert SECRET not in ended.stdout + ended.stderr
    files = {path.name for path in Path("runs/photos").rglob("*")}
    assert {"config.yaml", "about.json", "debug.log"} <= files
    assert any(name.endswith(".wandb") for name in files)
    assert holding(SECRET) == []


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("trainer.logger.apikey", "x", True),
        ("trainer.logger.hf_token", "x", True),
        ("trainer.logger.aws_secret_access_key", "x", True),
        ("trainer.logger.PASSWORD", "x", True),
        ("trainer.logger.client_secret", "x", True),
        ("trainer.logger.project", "ftp://me:word@host", True),
        ("trainer.logger.tracking_uri", "https://ghp_0123456789abcdef@host/x", True),
        ("trainer.logger.tracking_uri", "ssh://git@host/x", False),
        ("trainer.logger.token", None, False),
        ("trainer.logger.token", "null", False),
        ("trainer.logger.token", True, False),
        ("model.net.class_token", "true", False),
        ("model.net.class_token", "word", False),
        ("model.net.register_tokens", "4", False),
        ("data.label_column", "token", False),
        ("data.root", "https://host:8080/images", False),
        ("data.root", "photos/a:b@c", False),
        ("trainer.callbacks.monitor", "val/loss", False),
    ],
)
def test_secrets_are_known_by_their_names_and_addresses_by_a_password(key: str, value: object, expected: bool):
    assert is_secret(key, value) is expected
