"""Processes of a job hear of each other: all stop at one step, and none waits for one that is dead or silent."""

from __future__ import annotations

import re
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import CPU, TINY
from tests.train.safety.pair import TWO, Pair, started_by_torchrun, started_by_vitcli
from tests.train.safety.test_exact import differing, outcome
from tests.warm import Program, Warm
from vitcli.train.safety.ranks import LOST

# a rank that trains nothing: its steps are short, and its strategy broadcasts through a file
RANK = """
import os, pickle, sys, time
from pathlib import Path
from vitcli.machine.signals import SIGNALS, Stopped
from vitcli.train.safety.ranks import Ranks

rank, world, timeout, fails_at = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])

class Strategy:
    global_rank, world_size = rank, world
    def broadcast(self, value):
        told = Path("told")
        if rank == 0:
            part = Path("part")
            part.write_bytes(pickle.dumps(value))
            part.rename(told)
        while not told.exists():
            time.sleep(0.01)
        return pickle.loads(told.read_bytes())

def work():
    point = 0
    SIGNALS.patience = float("inf")
    # not before: until then a signal ends it where it is
    print("ready", flush=True)
    while True:
        time.sleep(0.01)
        point += 1
        if point == fails_at:
            raise ValueError("no more")
        if ranks.stops_here():
            Path(f"saved-{rank}").touch()
            while len(list(Path().glob("saved-*"))) < world:
                time.sleep(0.01)
            SIGNALS.is_leaving = True
            raise Stopped(f"stopped at {point}", 128 + ranks.asked_by, ranks.asked_by)

ranks = Ranks("fit")
ranks.timeout_seconds = timeout
code = 0
with SIGNALS.listening():
    try:
        ranks.connect(Strategy(), "localhost", is_one_machine=True)
        with ranks.told():
            work()
    except Stopped as stopped:
        print(stopped.reason, flush=True)
        code = stopped.code
    except ValueError as error:
        code = 1
    ranks.close()
# as vitcli ends
sys.stdout.flush()
os._exit(code)
"""
RANKS = 3


def job(programs: Warm, *, timeout: float = 60, fails: int = -1) -> list[Program]:
    """The ranks of a job, which have met."""
    ranks = [
        programs.start(rank, RANKS, timeout, 50 if rank == fails else -1, code=RANK, script="rank.py")
        for rank in range(RANKS)
    ]
    for rank in ranks:
        rank.until("ready")
    return ranks


@pytest.mark.parametrize("told", [[0], [2], [0, 1, 2]], ids=["first", "last", "all"])
def test_whoever_is_asked_all_stop_at_the_same_step(told: list[int], programs: Warm, here: Path):
    Path("rank.py").write_text(RANK)
    ranks = job(programs)
    for rank in told:
        ranks[rank].send(signal.SIGUSR1)
    ended = [rank.done(20) for rank in ranks]
    assert [one.returncode for one in ended] == [138] * RANKS
    assert len({re.findall(r"stopped at \d+", one.stdout)[0] for one in ended}) == 1


@pytest.mark.parametrize("lost", [0, 2])
def test_one_that_is_killed_ends_the_others_at_once(lost: int, programs: Warm, here: Path):
    Path("rank.py").write_text(RANK)
    ranks = job(programs)
    start = time.monotonic()
    ranks[lost].send(signal.SIGKILL)
    ended = [rank.done(20) for number, rank in enumerate(ranks) if number != lost]
    assert [one.returncode for one in ended] == [LOST] * (RANKS - 1)
    who = rf"rank {lost} \(process {ranks[lost].pid} on {re.escape(socket.gethostname())}\) has died"
    assert all(re.search(who, one.stdout) for one in ended)
    assert time.monotonic() - start < 10


@pytest.mark.slow
@pytest.mark.parametrize("silent", [0, 1])
def test_one_that_does_not_answer_ends_the_others_within_the_timeout(silent: int, programs: Warm, here: Path):
    Path("rank.py").write_text(RANK)
    ranks = job(programs, timeout=4)
    start = time.monotonic()
    ranks[silent].send(signal.SIGSTOP)
    ended = [rank.done(20) for number, rank in enumerate(ranks) if number != silent]
    # the machine of the test is shared
    assert 1 < time.monotonic() - start < 4 + 3
    ranks[silent].send(signal.SIGKILL)
    assert [one.returncode for one in ended] == [LOST] * (RANKS - 1)
    assert all(re.search(rf"rank {silent} .* has not answered for \d+ s", one.stdout) for one in ended)


def test_the_error_of_one_is_told_by_the_others(programs: Warm, here: Path):
    Path("rank.py").write_text(RANK)
    ended = [rank.done(20) for rank in job(programs, fails=1)]
    assert [one.returncode for one in ended] == [1] * RANKS
    assert all("has ended: ValueError: no more" in ended[rank].stdout for rank in (0, 2))


# of a training of two real processes: signals, each to one rank and to all
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP)
TO = ("0", "1", "all")
EACH = 1
WORDS = ["--data.batch_size", "1", *TINY, *CPU, "--trainer.max_epochs", "100000", "--run.name", "r"]
PORTS_SECONDS = 30


def lengthen(split: Path) -> None:
    """Give a split so many images that to score them takes seconds."""
    for folder in split.iterdir():
        image = next(folder.iterdir())
        for number in range(1500):
            (folder / f"{number}.png").hardlink_to(image)


def stopped(pair: Pair, number: signal.Signals, to: str) -> str:
    """What is wrong with the end of a pair that got a signal; nothing, if all is right."""
    start = time.monotonic()
    pair.send(number, to)
    codes = pair.end(60)
    took = time.monotonic() - start
    wrong = []
    if codes != {128 + number}:
        wrong.append(f"codes {codes}")
    if took > PORTS_SECONDS:
        wrong.append(f"took {took:.0f} s")
    if not Path("runs/r/checkpoints/last.ckpt").is_file():
        wrong.append("no checkpoint")
    if left := pair.left():
        wrong.append(f"left {left}")
    return f"{number.name} to {to}: {', '.join(wrong)}\n{pair.told()}" if wrong else ""


@pytest.mark.slow
@pytest.mark.parametrize("start", [started_by_vitcli, started_by_torchrun], ids=["vitcli", "torchrun"])
@pytest.mark.parametrize("moment", ["training", "validation"])
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_to_one_or_to_all_saves_the_run_and_ends_all(
    number: signal.Signals, moment: str, start: Callable[..., Pair], programs: Warm, photos: Path
):
    if moment == "validation":
        lengthen(photos / "val")
    for to in TO * EACH:
        pair = start(programs, *WORDS, moment=moment, root="photos")
        assert stopped(pair, number, to) == ""


@pytest.mark.slow
@pytest.mark.parametrize("start", [started_by_vitcli, started_by_torchrun], ids=["vitcli", "torchrun"])
@pytest.mark.parametrize("killed", ["0", "1"])
def test_a_rank_that_is_killed_ends_the_other_with_its_line(
    killed: str, start: Callable[..., Pair], programs: Warm, photos: Path
):
    for _ in range(EACH):
        pair = start(programs, *WORDS, moment="training", root="photos")
        pair.send(signal.SIGKILL, killed)
        begun = time.monotonic()
        pair.end(60)
        assert time.monotonic() - begun < PORTS_SECONDS
        assert pair.left() == []
        assert re.search(rf"rank {killed} \(process \d+ on .*\) (has died|was killed by SIGKILL)", pair.told())


@pytest.mark.slow
def test_torchrun_starts_a_training_again_and_it_ends_with_the_same_bits(programs: Warm, photos: Path):
    words = ["--data.batch_size", "2", *TINY, *CPU, "--trainer.max_epochs", "40"]
    straight = programs.run("fit", "--data.root", "photos", *words, "--run.name", "straight", *TWO, ranks=1)
    assert straight.returncode == 0, straight.stderr
    again = [*words, "--run.name", "r", "--run.resume", "auto"]
    pair = started_by_torchrun(programs, *again, moment="training", root="photos", restarts=1)
    pair.send(signal.SIGKILL, "1")
    assert pair.end(300) == set(), pair.told()
    assert "going on from runs/r/checkpoints/last.ckpt" in pair.told()
    assert differing(outcome(Path("runs/r")), outcome(Path("runs/straight"))) == []
