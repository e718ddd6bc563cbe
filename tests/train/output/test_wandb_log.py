"""wandb is silent, and what its user has to know is said in its place."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import wandb

from vitcli.run import Run
from vitcli.train.output.wandb_log import wandb_logger


@pytest.mark.parametrize(("offline", "told"), [(False, "wandb: https://wandb.example/runs/1\n"), (True, "")])
def test_a_run_that_is_logged_online_says_where(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], offline: bool, told: str
):
    started = SimpleNamespace(id="1", url="https://wandb.example/runs/1", offline=offline)
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setattr(wandb, "login", lambda **_: True)
    monkeypatch.setattr(wandb, "init", lambda **_: started)
    run = Run(Path("runs/logged"))
    run.folder.mkdir(parents=True)
    wandb_logger(run, {})
    assert capsys.readouterr().out == told
