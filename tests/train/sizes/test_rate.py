"""A range test chooses a rate well below that at which the loss rises, leaves no trace, and is not made again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from tests.conftest import CPU, TINY
from vitcli.__main__ import main
from vitcli.train.sizes.rate import USUAL, Curve

FIT = ["fit", "--data.root", "photos", "--data.batch_size", "8", "--trainer.max_epochs", "1", *TINY, *CPU]
RATES = tuple(np.geomspace(1e-6, 1.0, 61).tolist())


def test_a_tenth_of_the_rate_of_the_lowest_loss_is_chosen() -> None:
    # falls over four decades, lowest at 1e-2
    curve = Curve(RATES, tuple(1.0 + (np.log10(rate) + 2) ** 2 / 16 for rate in RATES))
    assert curve.speaks
    assert curve.chosen == pytest.approx(1e-3, rel=0.05)


def test_a_loss_that_hardly_falls_leaves_the_usual_rate() -> None:
    assert Curve(RATES, tuple(0.7 - 0.01 * np.sin(np.arange(61)))).chosen == USUAL
    assert Curve((), ()).chosen == USUAL


@pytest.mark.slow
@pytest.mark.usefixtures("photos")
def test_auto_rate_becomes_a_number_of_config_and_checkpoint_that_a_resume_keeps(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [*FIT, "--model.optimizer.lr", "auto"]
    assert main([*words, "--run.name", "found"]) == 0
    told = capsys.readouterr().out
    assert "\nmodel.optimizer.lr " in told
    rate = yaml.safe_load(Path("runs/found/config.yaml").read_text())["model"]["optimizer"]["lr"]
    assert f"\nmodel.optimizer.lr {rate:g}: " in told
    held = torch.load("runs/found/checkpoints/last.ckpt", weights_only=True)
    assert held["hyper_parameters"]["optimizer"]["lr"] == rate
    assert Path("runs/found/learning_rate_test.png").read_bytes()[:4] == b"\x89PNG"
    # weights, random numbers and images are those of a run that was given the number
    assert main([*FIT, "--model.optimizer.lr", str(rate), "--run.name", "given"]) == 0
    given = torch.load("runs/given/checkpoints/last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(held["state_dict"][name], given[name]) for name in given)
    capsys.readouterr()
    assert main([*words, "--ckpt_path", "runs/found", "--trainer.max_epochs", "2"]) == 0
    told = capsys.readouterr().out
    assert "model.optimizer.lr" not in told
