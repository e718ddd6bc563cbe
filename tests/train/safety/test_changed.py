"""What is changed when a run goes on is done, said or refused; never is an image shown twice in silence."""

from __future__ import annotations

import csv
import signal
from pathlib import Path

import pytest

from tests.conftest import CPU, TINY
from tests.train.safety.stopper import CODE
from tests.train.safety.test_exact import differing, outcome
from tests.warm import Warm
from vitcli.__main__ import main
from vitcli.train.optimizer import WarmupCosine

FIT = ["fit", "--data.root", "photos", "--data.batch_size", "4", *TINY, *CPU, "--trainer.max_epochs", "4"]
LR = 1e-3
RATES = ["--model.optimizer.lr", str(LR), "--trainer.log_every_n_steps", "1", "--model.schedule.warmup_fraction", "0.1"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (["--data.batch_size", "16"], "data.batch_size 16"),
        (["--data.batch_size", "2"], "data.batch_size 2"),
        (["--seed_everything", "7"], "seed_everything 7: was 0"),
        (["--trainer.accumulate_grad_batches", "2"], "trainer.accumulate_grad_batches 2: was 1"),
    ],
)
def test_in_the_middle_of_an_epoch_what_would_change_its_rest_is_refused(
    change: list[str], named: str, stopped_midway: Path, capsys: pytest.CaptureFixture[str]
):
    before = {path: path.read_bytes() for path in stopped_midway.rglob("*") if path.is_file()}
    assert main(["fit", "--ckpt_path", str(stopped_midway), *change]) == 2
    told = capsys.readouterr().err
    assert named in told
    assert "start from the end of an epoch" in told
    assert {path: path.read_bytes() for path in stopped_midway.rglob("*") if path.is_file()} == before


def test_what_was_null_and_what_is_drawn_otherwise_is_told_where_it_changes(
    here: Path, capsys: pytest.CaptureFixture[str]
):
    drawn = ["--data", "ShapesData", "--data.batch_size", "8", "--data.train", "16", "--data.val", "8"]
    assert main(["fit", *drawn, *TINY, *CPU, "--trainer.max_epochs", "1", "--run.name", "r"]) == 0
    capsys.readouterr()
    words = ["--trainer.max_epochs", "2", "--trainer.gradient_clip_algorithm", "value", "--data.train", "24"]
    assert main(["fit", "--ckpt_path", "runs/r", *words]) == 0
    told = capsys.readouterr().out
    assert "changed: trainer.gradient_clip_algorithm null -> value\n" in told
    assert "changed: data.train 16 -> 24\n" in told


@pytest.fixture
def stopped_midway(programs: Warm, photos: Path) -> Path:
    """A run of which 4 of an epoch's 6 batches are done; an epoch of batches of 16 would have 2."""
    ended = programs.run(*FIT, code=CODE.format(hook="on_train_batch_end", at=4, number=int(signal.SIGTERM)))
    assert ended.returncode == 143, ended.stderr
    return Path("runs", "photos")


@pytest.mark.slow
def test_with_other_batches_from_the_end_of_an_epoch_the_learning_rate_goes_on_by_epochs(
    photos: Path, capsys: pytest.CaptureFixture[str]
):
    assert main([*FIT[:-1], "2", *RATES, "--run.name", "b"]) == 0
    assert main(["fit", "--ckpt_path", "runs/b", "--trainer.max_epochs", "4", "--data.batch_size", "8"]) == 0
    assert "changed: data.batch_size 4 -> 8\n" in capsys.readouterr().out
    # six steps an epoch, then three: the second half of a run of four epochs of three steps each
    curve = WarmupCosine(warmup_fraction=0.1)
    rates = _rates(Path("runs/b"))
    assert len(rates) == 2 * 6 + 2 * 3
    assert rates[12:] == pytest.approx([LR * curve.factor(step, 12) for step in range(6, 12)])


CONSTANT = ["--model.schedule.warmup_fraction", "0", "--model.schedule.final_fraction", "1"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "then", "accumulated"),
    [
        ("max_steps 5", "max_steps 8", "2"),
        ("max_epochs 1", "max_epochs 2", "1"),
        pytest.param("max_steps 5", "max_steps 8", "1", marks=pytest.mark.slow),
        pytest.param("max_epochs 1", "max_epochs 2", "2", marks=pytest.mark.slow),
    ],
)
def test_a_run_that_is_extended_is_the_longer_run(first: str, then: str, accumulated: str, photos: Path):
    # the learning rate is the same for both, so that nothing but the images and their order could differ
    words = [*FIT[:-2], *CONSTANT, "--trainer.accumulate_grad_batches", accumulated]
    assert main([*words, *f"--trainer.{then}".split(), "--run.name", "whole"]) == 0
    assert main([*words, *f"--trainer.{first}".split(), "--run.name", "parts"]) == 0
    assert main(["fit", "--ckpt_path", "runs/parts", *f"--trainer.{then}".split()]) == 0
    whole, parts = (outcome(Path("runs", name)) for name in ("whole", "parts"))
    assert [key for key in differing(whole, parts) if key.startswith("last")] == []


def _rates(run: Path) -> list[float]:
    with (run / "metrics.csv").open(newline="") as file:
        return [float(row["train/lr"]) for row in csv.DictReader(file) if row.get("train/lr")]
