"""A run is computed in the precision that serves, and each of them is usable."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from jsonargparse import Namespace

from tests.test_cli import CPU, FIT
from vitcli.__main__ import main
from vitcli.cli.trainer import settings as trainer
from vitcli.table.rows import read_rows

MIXED = ("--trainer.precision", "bf16-mixed")
TOLD = "trainer.precision bf16-mixed: slower on this CPU, which has no bfloat16 instructions; computing in 32-true\n"


@pytest.mark.slow
@pytest.mark.usefixtures("photos")
def test_mixed_precision_is_single_where_the_processor_has_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(trainer, "has_bfloat16", lambda: False)
    assert main([*FIT, "--run.name", "single"]) == 0
    assert TOLD not in capsys.readouterr().out
    assert main([*FIT, "--run.name", "mixed", *MIXED]) == 0
    assert TOLD in capsys.readouterr().out
    single, mixed = (Path("runs", name, "metrics.csv").read_text() for name in ("single", "mixed"))
    assert mixed == single
    # on another machine the run goes on as it was wished
    assert yaml.safe_load(Path("runs/mixed/config.yaml").read_text())["trainer"]["precision"] == "bf16-mixed"
    assert main(["validate", "--ckpt_path", "runs/mixed", *CPU]) == 0
    assert TOLD in capsys.readouterr().out


@pytest.mark.usefixtures("photos")
def test_mixed_precision_is_mixed_where_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(trainer, "has_bfloat16", lambda: True)
    assert main([*FIT, "--run.name", "single"]) == 0
    assert main([*FIT, "--run.name", "mixed", *MIXED]) == 0
    assert TOLD not in capsys.readouterr().out
    single, mixed = (Path("runs", name, "metrics.csv").read_text() for name in ("single", "mixed"))
    assert mixed != single


@pytest.mark.parametrize(
    ("precision", "accelerator", "accelerated", "is_slower"),
    [
        ("16-mixed", "cpu", True, True),
        (16, "auto", False, True),
        ("bf16-mixed", "auto", True, False),
        ("bf16-mixed", "gpu", True, False),
        ("bf16-true", "cpu", False, False),
        ("32-true", "cpu", False, False),
    ],
)
def test_only_mixed_precision_on_a_cpu_is_replaced(
    precision: str | int, accelerator: str, accelerated: bool, is_slower: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(trainer, "has_bfloat16", lambda: False)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: accelerated)
    assert trainer.is_slower_mixed(Namespace(precision=precision, accelerator=accelerator)) == is_slower


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize("precision", [pytest.param("bf16-true", marks=pytest.mark.slow), "64-true"])
def test_a_net_of_another_precision_is_trained_and_then_used_in_single(precision: str):
    assert main([*FIT, "--trainer.precision", precision]) == 0
    assert main(["test", "--ckpt_path", "runs/photos", *CPU]) == 0
    assert main(["predict", "--ckpt_path", "runs/photos", "--data.root", "photos/test", *CPU]) == 0
    assert len(list(read_rows(Path("runs/photos/predictions.csv")))) == 7
