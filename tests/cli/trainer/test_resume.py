"""The same command again goes on with its run, and with the newest checkpoint of it that is whole."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import CPU, TINY
from tests.warm import Warm
from vitcli.__main__ import main
from vitcli.machine.lock import Holder

FIT = ["fit", "--data.root", "photos", "--data.batch_size", "8", *TINY, *CPU]
AGAIN = [*FIT, "--run.resume", "auto", "--trainer.max_epochs", "2"]
RUN = Path("runs/photos")


def held(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(path, weights_only=True)
    return content


def cut(path: Path) -> None:
    with path.open("rb+") as file:
        file.truncate(path.stat().st_size // 2)


def flip(path: Path) -> None:
    with path.open("rb+") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))


def without_optimizer(path: Path) -> None:
    torch.save(held(path) | {"optimizer_states": []}, path)


def test_the_same_command_begins_goes_on_and_is_finished(photos: Path, capsys: pytest.CaptureFixture[str]):
    assert main([*FIT, "--run.resume", "auto", "--trainer.max_epochs", "1"]) == 0
    assert "going on" not in capsys.readouterr().out
    # more is asked for
    assert main(AGAIN) == 0
    assert "going on from runs/photos/checkpoints/last.ckpt, step 3\n" in capsys.readouterr().out
    before = sorted((path, path.stat().st_mtime_ns) for path in RUN.rglob("*"))
    assert main(AGAIN) == 0
    told = capsys.readouterr()
    assert told.out.startswith("finished already: runs/photos, 2 epochs, 6 steps; for more, raise trainer.max_epochs")
    assert told.out.count("\n") == 1
    assert sorted((path, path.stat().st_mtime_ns) for path in RUN.rglob("*")) == before
    # killed between the last checkpoint and the last word
    (RUN / "finished.json").unlink()
    assert main(AGAIN) == 0
    assert (RUN / "finished.json").is_file()
    assert sorted(path.name for path in Path("runs").iterdir()) == [".cache", "photos"]
    # never, as without it, begins a new run
    assert main([*FIT, "--run.resume", "never", "--trainer.max_epochs", "1"]) == 0
    assert Path("runs/photos-2/checkpoints/last.ckpt").is_file()


@pytest.mark.slow
def test_a_run_killed_before_its_first_checkpoint_begins_anew_in_its_folder(photos: Path, programs: Warm):
    running = programs.start(*AGAIN, "--trainer.max_epochs", "100000", "--run.save_minutes", "0")
    while not (RUN / "config.yaml").is_file():
        assert running.runs(0.005), running.err
    running.send(signal.SIGKILL)
    running.done()
    shutil.rmtree(RUN / "checkpoints", ignore_errors=True)
    assert (RUN / ".fit.lock").is_file()
    assert main(AGAIN) == 0
    assert sorted(path.name for path in Path("runs").iterdir()) == [".cache", "photos"]
    assert held(RUN / "checkpoints" / "last.ckpt")["global_step"] == 6
    assert [path.name for path in RUN.rglob(".*")] == []


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--model.net.dim", "32"], "model.net.dim 32: contradicts the checkpoint runs/photos/checkpoints/last.ckpt"),
        (["--data.root", "others"], "data.root others: --run.resume auto has found the run runs/photos of photos"),
    ],
)
def test_a_run_of_other_settings_is_refused_and_left_as_it_is(
    words: list[str], why: str, fitted: Path, capsys: pytest.CaptureFixture[str]
):
    shutil.copytree("photos", "others")
    before = (fitted / "checkpoints" / "last.ckpt").read_bytes()
    capsys.readouterr()
    assert main([*AGAIN, *words, "--run.name", "photos"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert why in told
    assert "name another run with --run.name" in told
    assert (fitted / "checkpoints" / "last.ckpt").read_bytes() == before
    assert sorted(path.name for path in Path("runs").iterdir()) == [".cache", "photos"]


@pytest.mark.parametrize(
    ("words", "break_it"),
    [
        (["--ckpt_path", "runs/photos"], cut),
        (["--ckpt_path", "last"], without_optimizer),
        (["--run.resume", "auto"], flip),
        (["--run.resume", "auto"], Path.unlink),
    ],
)
def test_the_newest_checkpoint_that_is_whole_is_taken_and_the_others_are_told(
    break_it: Any, words: list[str], copied: Path, capsys: pytest.CaptureFixture[str]
):
    break_it(copied / "checkpoints" / "last.ckpt")
    assert main([*FIT, *words, "--trainer.max_epochs", "2"]) == 0
    told = capsys.readouterr().out
    assert "skipped: runs/photos/checkpoints/last.ckpt: " in told
    assert "going on from runs/photos/checkpoints/best.ckpt, step 3\n" in told
    assert held(copied / "checkpoints" / "last.ckpt")["global_step"] == 6


def test_where_no_checkpoint_is_whole_nothing_begins_from_scratch(copied: Path, capsys: pytest.CaptureFixture[str]):
    for path in (copied / "checkpoints").iterdir():
        without_optimizer(path)
    for words in (["--ckpt_path", "runs/photos"], ["--run.resume", "auto"]):
        assert main([*FIT, *words]) == 2
        told = capsys.readouterr().err
        assert told.count("\n") == 1
        assert "no checkpoint can be used (runs/photos/checkpoints/last.ckpt: holds no state of the optimizer" in told
    assert main([*FIT, "--ckpt_path", str(copied / "checkpoints" / "best.ckpt")]) == 2
    assert "start a new run with its weights: --weights runs/photos/checkpoints/best.ckpt" in capsys.readouterr().err
    assert sorted(path.name for path in Path("runs").iterdir()) == [".cache", "photos"]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.99])
def test_a_config_that_was_cut_short_is_a_line(share: float, copied: Path, capsys: pytest.CaptureFixture[str]):
    config = copied / "config.yaml"
    lines = config.read_text().splitlines(keepends=True)
    config.write_text("".join(lines[: int(len(lines) * share)]))
    for verb in ("fit", "test"):
        assert main([verb, "--ckpt_path", str(copied)]) == 2
        told = capsys.readouterr().err
        assert told.count("\n") == 1
        assert "runs/photos/config.yaml: " in told


@pytest.mark.slow
def test_two_at_once_in_one_run_are_one_and_a_line(photos: Path, programs: Warm, capsys: pytest.CaptureFixture[str]):
    first = programs.start(*AGAIN, "--trainer.max_epochs", "100000")
    while not (RUN / "checkpoints" / "last.ckpt").is_file():
        assert first.runs(0.01), first.err
    for words in (AGAIN, [*FIT, "--ckpt_path", "runs/photos"]):
        assert main([*words, "--trainer.max_epochs", "100000"]) == 2
        told = capsys.readouterr().err
        assert told.count("\n") == 1
        assert "runs/photos: another vitcli fit is writing into it, " in told
        assert f", process {first.pid} on {Holder.here().host} since " in told
    # a new name is chosen anyway, and scoring writes other files
    assert main([*FIT, "--trainer.max_epochs", "1"]) == 0
    assert Path("runs/photos-2/checkpoints/last.ckpt").is_file()
    assert main(["test", "--ckpt_path", "runs/photos", *CPU]) == 0
    first.send(signal.SIGKILL)
    first.done()
    step = held(RUN / "checkpoints" / "last.ckpt")["global_step"]
    assert main([*AGAIN, "--trainer.max_steps", str(step + 3), "--trainer.max_epochs", "100000"]) == 0


@pytest.mark.slow
def test_two_predicts_into_one_run_are_one_and_a_line(copied: Path, programs: Warm, capsys: pytest.CaptureFixture[str]):
    many = Path("many")
    many.mkdir()
    image = next(Path("photos/test").rglob("*.png"))
    for number in range(20_000):
        (many / f"{number}.png").hardlink_to(image)
    words = ["predict", "--ckpt_path", str(copied), "--data.root", "many", "--data.batch_size", "1", *CPU]
    first = programs.start(*words)
    while not list(copied.glob("predictions.csv.parts/*.rows")):
        assert first.runs(0.01), first.err
    few = ["predict", "--ckpt_path", str(copied), "--data.root", "photos/test", *CPU]
    assert main(few) == 2
    assert f"another vitcli predict is writing into it, process {first.pid} on" in capsys.readouterr().err
    # what goes elsewhere is in nobody's way
    assert main([*few, "--predictions.path", "few.csv"]) == 0
    first.send(signal.SIGKILL)
    first.done()
    assert main(few) == 0
