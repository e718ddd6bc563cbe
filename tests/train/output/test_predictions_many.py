"""20,000 pictures, 1 % of them broken: a row for each in flat memory, whatever is killed, on one process or two."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from pathlib import Path

import pytest

from tests.conftest import CPU
from tests.train.output.broken import write_many
from tests.train.output.test_predictions_kept import kept, kill_at
from tests.warm import Program, Warm
from vitcli.__main__ import main
from vitcli.table.rows import read_rows

MANY, PERCENT = 20_000, 100
TWO = ["--trainer.devices", "2", "--trainer.strategy", "ddp"]
PEAK = """
import resource, sys
from vitcli.__main__ import main
code = main(sys.argv[1:])
print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "MB", flush=True)
sys.exit(code)
"""


def predict(folder: str, table: str, *words: str) -> list[str]:
    return ["predict", "runs/photos", folder, "--predictions.path", table, *CPU, *words]


def peak(programs: Warm, folder: str, table: str, *words: str) -> int:
    """The largest memory of a process that predicts a folder, in MB."""
    Path("peak.py").write_text(PEAK)
    done = programs.run(*predict(folder, table, *words), script="peak.py")
    assert done.returncode == 0, done.stderr
    return int(done.stdout.rpartition("peak ")[2].split()[0])


@pytest.fixture
def many(copied: Path) -> Path:
    write_many(Path("many"), MANY, broken=MANY // PERCENT)
    return copied


@pytest.mark.slow
@pytest.mark.parametrize("table", ["table.csv", "table.jsonl", "table.parquet"])
def test_the_table_is_whole_and_memory_does_not_grow_with_the_folder(many: Path, programs: Warm, table: str):
    write_many(Path("few"), MANY // 10, broken=MANY // 10 // PERCENT)
    words = ["--predictions.features", "true"]
    few = peak(programs, "few", f"few-{table}", *words)
    most = peak(programs, "many", table, *words)
    rows = list(read_rows(Path(table)))
    assert len(rows) == len({row.path for row in rows}) == MANY
    assert len([row for row in rows if row.status == "error"]) == MANY // PERCENT
    # each way of being broken is told apart or together, but none is silent
    assert all(row.error for row in rows if row.status == "error")
    print(f"{table}: {few} MB for {MANY // 10:,} images, {most} MB for {MANY:,}")
    # names and plan of 18,000 images more
    assert most - few < 40


@pytest.mark.slow
def test_killed_at_ten_moments_the_table_is_byte_for_byte_the_uninterrupted_one(many: Path, programs: Warm):
    assert main(predict("many", "whole.csv")) == 0
    work, rng, before = Path("table.csv.parts"), random.Random(21), 0
    for _ in range(10):
        running = programs.start(*predict("many", "table.csv"))
        # at any moment from its start to some batches on, so also while it looks for what is kept
        if rng.random() < 0.7:
            assert kill_at(running, work, before + rng.randrange(1, 1500)), running.out
        else:
            time.sleep(rng.uniform(0.05, 1.5))
            running.send(signal.SIGKILL)
            running.done()
        assert not Path("table.csv").exists()
        assert kept(work) >= before
        before = kept(work)
    done = programs.run(*predict("many", "table.csv"))
    assert f"{before:,} of {MANY:,} rows are kept" in done.stdout
    assert Path("table.csv").read_bytes() == Path("whole.csv").read_bytes()
    assert not list(Path().glob("table.csv.*"))


def second_of(running: Program) -> int:
    """The process that Lightning has started beside the first."""
    while not (children := Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()):
        assert running.runs(0.01), running.err
    return int(children[0])


@pytest.mark.slow
def test_two_processes_of_which_one_is_killed_and_started_again_write_the_same_rows(many: Path, programs: Warm):
    done = programs.run(*predict("many", "whole.csv", *TWO), ranks=1)
    assert done.returncode == 0, done.stderr
    assert main(predict("many", "one.csv")) == 0
    work, before = Path("table.csv.parts"), 0
    for victim in ("second", "first"):
        running = programs.start(*predict("many", "table.csv", *TWO), ranks=1)
        second = second_of(running)
        while running.runs(0.001) and not (work / f"{1 + (victim == 'first')}-1.rows").is_file():
            pass
        while running.runs(0.001) and kept(work) < before + 1000:
            pass
        assert running.runs(), running.out
        os.kill(running.pid if victim == "first" else second, signal.SIGKILL)
        assert running.done(within=120).returncode != 0
        assert not Path("table.csv").exists()
        assert kept(work) > before
        before = kept(work)
    done = programs.run(*predict("many", "table.csv", *TWO), ranks=1)
    assert done.returncode == 0, done.stderr
    # the second process outlives the first for a while, and goes on writing
    told = re.search(r"([0-9,]+) of 20,000 rows are kept", done.stdout)
    assert told is not None
    assert int(told[1].replace(",", "")) >= before
    assert Path("table.csv").read_bytes() == Path("whole.csv").read_bytes()
    one, two = (list(read_rows(Path(table))) for table in ("one.csv", "table.csv"))
    assert [(row.path, row.status, row.error) for row in one] == [(row.path, row.status, row.error) for row in two]
    assert all(a.probabilities == pytest.approx(b.probabilities, abs=1e-5) for a, b in zip(one, two, strict=True))


@pytest.mark.slow
def test_the_number_of_processes_may_change_in_between(many: Path, programs: Warm):
    running = programs.start(*predict("many", "table.csv", *TWO), ranks=1)
    work = Path("table.csv.parts")
    while running.runs(0.001) and kept(work) < 3000:
        pass
    running.send(signal.SIGINT)
    assert running.done(within=120).returncode == 130
    kept_then = kept(work)
    done = programs.run(*predict("many", "table.csv"))
    assert f"{kept_then:,} of {MANY:,} rows are kept" in done.stdout
    assert main(predict("many", "one.csv")) == 0
    one, two = (list(read_rows(Path(table))) for table in ("one.csv", "table.csv"))
    assert [row.path for row in one] == [row.path for row in two]
    assert all(a.probabilities == pytest.approx(b.probabilities, abs=1e-5) for a, b in zip(one, two, strict=True))
