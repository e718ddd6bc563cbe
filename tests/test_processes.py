"""Runs in processes of their own: two of them on one job, real signals, real wandb."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import CPU, TINY
from tests.warm import Warm
from vitcli.__main__ import main
from vitcli.table.row import Row
from vitcli.table.rows import read_rows

Vitcli = Callable[..., subprocess.CompletedProcess[str]]
FIT = ["fit", "--data.root", "photos", "--data.batch_size", "4", *TINY, *CPU]
TWO = ["--trainer.devices", "2", "--trainer.strategy", "ddp"]
WANDB = ["--trainer.logger", "WandbLogger"]


def good(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def close(one: Row, other: Row) -> bool:
    numbers = (one.confidence or 0, *one.probabilities), (other.confidence or 0, *other.probabilities)
    texts = [(row.path, row.label, row.predicted, row.width, row.height, row.status, row.error) for row in (one, other)]
    return texts[0] == texts[1] and numbers[0] == pytest.approx(numbers[1], abs=1e-5)


def in_pairs(programs: Warm, *verbs: list[str]) -> None:
    """Several verbs, one after another, in one pair of processes: the second of them has torch to import."""
    calls = "".join(f"assert main({[*words, *CPU, *TWO]}) == 0\n" for words in verbs)
    Path("verbs.py").write_text(f"from vitcli.__main__ import main\n{calls}")
    done = programs.run(script="verbs.py")
    assert done.returncode == 0, done.stderr


def test_two_processes_reach_and_write_what_one_does_and_score_a_single_image(
    photos: Path, programs: Warm, vitcli: Vitcli
):
    (photos / "test" / "square" / "cut.png").write_bytes(b"\x89PNG\r\n")
    out = good(vitcli(*FIT, *TWO, "--trainer.max_epochs", "1", "--run.name", "pair"))
    assert out.count("epoch 1/1") == 1
    run = Path("runs/pair")
    assert sorted(path.name for path in Path("runs").iterdir()) == [".cache", "pair"]
    # fewer images than processes
    shutil.copytree(run, "runs/few")
    shutil.copytree(photos, "few")
    for file in sorted(Path("few/test").rglob("*.png"))[1:]:
        file.unlink()
    scoring = [["test", "--ckpt_path", str(run)], ["predict", "--ckpt_path", str(run), "--data.root", "photos"]]
    scores, evaluations, tables = [], [], []
    for processes in (1, 2):
        if processes == 1:
            assert [main([*words, *CPU]) for words in scoring] == [0, 0]
        else:
            in_pairs(programs, *scoring, ["test", "--ckpt_path", "runs/few", "--data.root", "few"])
        scores.append(json.loads((run / "metrics.test.json").read_text()))
        evaluations.append(scores[-1].pop("evaluation")["accuracy"])
        tables.append([*read_rows(run / "predictions.csv"), *read_rows(run / "predictions.test.csv")])
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)
    assert evaluations[0] == evaluations[1]
    assert len(tables[0]) == len(tables[1]) == 40 + 8
    assert all(close(one, other) for one, other in zip(*tables, strict=True))
    assert not list(run.glob("*part*"))
    assert len(list(read_rows(Path("runs/few/predictions.test.csv")))) == 1
    assert json.loads(Path("runs/few/metrics.test.json").read_text())["test/accuracy"] in (0.0, 1.0)


@pytest.mark.slow
def test_ctrl_c_saves_the_run_and_it_goes_on_and_further_under_one_wandb_id(
    photos: Path, programs: Warm, vitcli: Vitcli
):
    running = programs.start(*FIT, *WANDB, "--run.name", "cut", "--trainer.max_epochs", "1000")
    running.until("\nepoch 2/")
    running.send(signal.SIGINT)
    done = running.done(within=60)
    out = done.stdout
    assert done.returncode == 130, done.stderr
    assert "go on with: vitcli fit --ckpt_path runs/cut" in out
    assert Path("runs/cut/checkpoints/last.ckpt").is_file()
    first = Path("runs/cut/wandb-id.txt").read_text()

    epochs = int(out.split("stopped at step ")[1].split(";")[0]) // 6 + 2
    good(vitcli("fit", "--run.name", "cut", "--ckpt_path", "last", "--trainer.max_epochs", str(epochs)))
    out = good(vitcli("fit", "--run.name", "cut", "--ckpt_path", "last", "--trainer.max_epochs", str(epochs + 1)))
    assert f"done: {epochs + 1} epochs" in out
    assert Path("runs/cut/wandb-id.txt").read_text() == first
    logged = [path.name for path in Path("runs/cut/wandb").glob("offline-run-*")]
    assert len(logged) == 3
    assert {name.rpartition("-")[2] for name in logged} == {first.strip()}
    assert sorted(os.listdir("runs")) == [".cache", "cut"]


@pytest.mark.slow
def test_wandb_has_the_whole_config_and_the_curves(photos: Path, vitcli: Vitcli):
    good(vitcli(*FIT, *WANDB, "--trainer.max_epochs", "1", "--run.name", "logged"))
    (stored,) = Path("runs/logged/wandb").glob("offline-run-*/*.wandb")
    content = stored.read_bytes()
    for key in (b"crop_fraction", b"weight_decay", b"max_epochs", b"val/accuracy", b"train/loss"):
        assert key in content


@pytest.mark.slow
def test_without_a_key_wandb_goes_offline_and_says_what_to_do(
    photos: Path, here: Path, monkeypatch: pytest.MonkeyPatch, vitcli: Vitcli
):
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(here))
    monkeypatch.setenv("NETRC", str(here / "no-netrc"))
    done = vitcli(*FIT, *WANDB, "--trainer.max_epochs", "1", "--run.name", "nokey")
    good(done)
    told = [line for line in done.stderr.splitlines() if "wandb" in line]
    assert len(told) == 1
    assert "no key" in told[0]
    assert "wandb sync" in told[0]
    assert list(Path("runs/nokey/wandb").glob("offline-run-*"))


@pytest.mark.slow
def test_a_wandb_that_cannot_be_reached_stops_nothing(
    photos: Path, here: Path, monkeypatch: pytest.MonkeyPatch, vitcli: Vitcli
):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    # wandb's own patience: one try more
    monkeypatch.setenv("WANDB_X_GRAPHQL_RETRY_MAX", "1")
    start = time.monotonic()
    done = vitcli(*FIT, *WANDB, "--trainer.max_epochs", "1", "--run.name", "unreached")
    good(done)
    assert "offline" in done.stderr
    assert time.monotonic() - start < 120


def test_ctrl_c_during_predict_ends_with_130_and_no_half_table(photos: Path, programs: Warm):
    assert main([*FIT, "--trainer.max_epochs", "1", "--run.name", "run"]) == 0
    many = Path("many")
    many.mkdir()
    image = next((photos / "test").rglob("*.png"))
    for number in range(10_000):
        (many / f"{number}.png").hardlink_to(image)
    words = ["--ckpt_path", "runs/run", "--data.root", "many", "--data.batch_size", "1", *CPU]
    running = programs.start("predict", *words)
    rows = Path("runs/run/predictions.csv.parts/1-0.rows")
    while running.runs(0.01) and not (rows.is_file() and rows.read_text().count("\n") > 5):
        pass
    assert running.runs(), "all was predicted before it could be stopped"
    running.send(signal.SIGINT)
    done = running.done(within=60)
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    assert not Path("runs/run/predictions.csv").exists()
    assert "rows so far are kept in runs/run/predictions.csv.parts; the same command goes on with them" in done.stderr
