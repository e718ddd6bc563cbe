"""Real searches in processes of their own: killed, interrupted, out of time, and two at once on one study."""

from __future__ import annotations

import csv
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import CPU, TINY
from tests.warm import Warm
from vitcli.machine.atomic import is_alive

pytestmark = pytest.mark.slow

DATA = ["--data", "ShapesData", "--data.train=160", "--data.val=16", "--data.batch_size=8", "--data.num_workers=0"]
# one validation, at the end: none is pruned, while a checkpoint is written after each epoch
FIT = [*DATA, *TINY, *CPU, "--trainer.max_epochs=6", "--trainer.check_val_every_n_epoch=6"]
SPACE = "model.optimizer.lr: {low: 1.0e-4, high: 1.0e-2, log: true}\nmodel.label_smoothing: [0.0, 0.1]\n"
STUDY = Path("runs/search")


def words(trials: int) -> list[str]:
    Path("space.yaml").write_text(SPACE)
    return ["search", "--space", "space.yaml", "--study", str(STUDY), "--trials", str(trials), *FIT]


def trial(number: int) -> Path:
    return STUDY / f"trial-{number:03d}"


def wait_for(condition: Callable[[], bool], within: float = 60) -> None:
    last = time.monotonic() + within
    while not condition():
        assert time.monotonic() < last
        time.sleep(0.02)


def in_training(number: int) -> bool:
    """Whether a trial has a checkpoint and is not at its end."""
    return (trial(number) / "checkpoints/last.ckpt").is_file() and not (trial(number) / "finished.json").is_file()


def starts(number: int) -> int:
    return (trial(number) / "output.log").read_text().count("\nnet: ") + (
        (trial(number) / "output.log").read_text().startswith("net: ")
    )


def check_each_trial_was_run_once(trials: int) -> None:
    with (STUDY / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(int(row["trial"]), row["state"]) for row in rows] == [(number, "complete") for number in range(trials)]
    ended = Counter(
        event["trial_id"]
        for event in map(json.loads, (STUDY / "journal.log").read_text().splitlines())
        if event["op_code"] == 6 and event["state"] == 1
    )
    assert sorted(ended.values()) == [1] * trials, "each has ended once"
    for number in range(trials):
        with (trial(number) / "metrics.csv").open(newline="") as file:
            steps = [int(row["step"]) for row in csv.DictReader(file) if row["val/loss"]]
        assert steps == [119], "six epochs of twenty steps, each done once"
        assert not list(trial(number).glob(".*.lock"))
    assert len({(row["model.optimizer.lr"], row["model.label_smoothing"]) for row in rows}) == trials


def test_of_two_searchers_one_is_killed_and_no_trial_is_lost_or_run_twice(here: Path, programs: Warm):
    one, other = programs.start(*words(4)), programs.start(*words(4))
    one.until("trial-00")
    (killed,) = [number for number in range(2) if f"trial-00{number}: " in one.out]
    wait_for(lambda: in_training(killed))
    one.send(signal.SIGKILL)
    one.done()
    again = programs.run(*words(4))
    assert (again.returncode, again.stderr) == (0, "")
    ended = other.done()
    assert (ended.returncode, ended.stderr) == (0, "")
    check_each_trial_was_run_once(4)
    assert [starts(number) for number in range(4)] == [2 if number == killed else 1 for number in range(4)]
    assert f"trial-00{killed}: going on: " in again.stdout + ended.stdout
    assert "going on from" in (trial(killed) / "output.log").read_text()


def test_ctrl_c_saves_the_training_and_the_same_command_goes_on(here: Path, programs: Warm):
    search = programs.start(*words(2))
    wait_for(lambda: trial(0).is_dir() and in_training(0))
    search.send(signal.SIGINT)
    stopped = search.done()
    assert stopped.returncode == 130
    assert stopped.stderr.startswith("Ctrl-C: the training in progress is being saved; once more ends it at once\n")
    assert stopped.stderr.endswith("vitcli search: stopped\n")
    assert stopped.stdout.endswith("the same command goes on where this one has stopped\n")
    assert "SIGTERM: stopping after this step" in (trial(0) / "output.log").read_text()
    ended = programs.run(*words(2))
    assert (ended.returncode, ended.stderr) == (0, "")
    check_each_trial_was_run_once(2)
    assert "trial-000: going on: the config as it is" in ended.stdout
    best = [line for line in ended.stdout.splitlines() if line.startswith("command: ")]
    assert best[0].startswith("command: vitcli fit --data ShapesData ")
    # a study that has all of its trials is done at once, and says the same
    again = programs.run(*words(2)).stdout.splitlines()
    assert again[1:] == ended.stdout.splitlines()[1 - len(again) :]


def test_a_training_that_is_killed_is_gone_on_with(here: Path, programs: Warm):
    search = programs.start(*words(1))
    wait_for(lambda: trial(0).is_dir() and in_training(0))
    holder = json.loads((trial(0) / ".fit.lock").read_text())
    os.kill(holder["pid"], signal.SIGKILL)
    ended = search.done()
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "trial-000: ended by SIGKILL; going on with it\n" in ended.stdout
    check_each_trial_was_run_once(1)


def test_a_searcher_that_is_killed_leaves_no_training_behind(here: Path, programs: Warm):
    search = programs.start(*words(1))
    wait_for(lambda: trial(0).is_dir() and in_training(0))
    training = json.loads((trial(0) / ".fit.lock").read_text())["pid"]
    search.send(signal.SIGKILL)
    wait_for(lambda: not is_alive(training))
    assert "SIGTERM: stopping after this step" in (trial(0) / "output.log").read_text(), "and it was saved"


def test_minutes_end_a_search_whose_trial_is_left_to_the_next(here: Path, programs: Warm):
    ended = programs.run(*words(9), "--minutes", "0.12")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "0.12 minutes are over; the same command goes on where this one has stopped\n" in ended.stdout
    with (STUDY / "trials.csv").open(newline="") as file:
        states = [row["state"] for row in csv.DictReader(file)]
    assert len(states) < 9
    assert set(states) <= {"complete", "running"}
    assert states.count("running") <= 1


def test_a_trial_that_fit_refuses_is_told_and_the_others_go_on(here: Path, programs: Warm):
    """Of settings that go only with some of the others, each alone is right."""
    asked = words(4)
    Path("space.yaml").write_text("model.net.dim: [16, 18]\nmodel.net.backend.heads: [2, 4]\n")
    ended = programs.run(*asked)
    assert ended.stderr == ""
    failed = [line for line in ended.stdout.splitlines() if ": failed: " in line]
    assert ended.returncode == 0
    with (STUDY / "trials.csv").open(newline="") as file:
        states = {(row["model.net.dim"], row["model.net.backend.heads"]): row["state"] for row in csv.DictReader(file)}
    assert all((state == "failed") == (pair == ("18", "4")) for pair, state in states.items())
    assert len(failed) == sum(state == "failed" for state in states.values())


def test_trials_that_are_behind_are_pruned_and_keep_their_checkpoint(here: Path, programs: Warm):
    asked = [word for word in words(5) if "check_val" not in word]
    # steps so long that the loss is far from that of any net that learns, on every processor
    Path("space.yaml").write_text("model.optimizer.lr: [0.5, 0.6, 0.7, 0.8]\n")
    ended = programs.run(*asked, "--objective", "val/loss", "--model.optimizer.lr=0.003", "--data.train=80")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "model.optimizer.lr 0.003: the config as it is, which lies outside of the space\n" in ended.stdout
    with (STUDY / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["state"] == "complete"
    pruned = [row for row in rows if row["state"] == "pruned"]
    assert pruned, "of those that go too far, some are behind"
    for row in pruned:
        folder = Path(row["run"])
        assert (folder / "checkpoints/last.ckpt").is_file()
        assert not (folder / "finished.json").exists()
        assert int(row["validations"]) == 3, "half-way"


def test_a_trial_that_begins_with_a_solved_head_has_the_score_of_its_best_ckpt(here: Path, programs: Warm):
    Path("space.yaml").write_text("model.optimizer.lr: {low: 1.0e-2, high: 1.0e-1, log: true}\n")
    words = [*DATA, *TINY, *CPU, "--trainer.max_epochs=3", "--probe.solve=true", "--study", str(STUDY), "--trials", "1"]
    program = programs.start("search", "--space", "space.yaml", *words)
    program.done()
    (best,) = json.loads((trial(0) / "finished.json").read_text())["best"].values()
    assert f"done: 3 epochs, 60 steps, best val/accuracy {best:.4f}" in (trial(0) / "output.log").read_text()
    assert f"trial-000: val/accuracy {best:.4f}, the best of 3 validations and its head" in program.out
