"""Two processes that train together, started by vitcli or by torchrun: found, sent signals, awaited, and looked for."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import final

from tests.warm import VITCLI, Program, Warm

TORCHRUN = str(Path(sys.executable).with_name("torchrun"))
TWO = ["--trainer.devices", "2", "--trainer.strategy", "ddp"]
START_SECONDS = 120


@final
class Pair:
    """Two ranks.

    Args:
        ranks: Numbers of the processes of rank 0 and 1.
        program: What was started: rank 0 itself, or torchrun.
        is_torchrun: Whether it is torchrun.
    """

    def __init__(self, ranks: list[int], program: Program, is_torchrun: bool) -> None:
        self.ranks = ranks
        self._program = program
        self._is_torchrun = is_torchrun

    def send(self, number: signal.Signals, to: str) -> None:
        """Send a signal to a rank, or to ``all``."""
        for rank in self.ranks if to == "all" else [self.ranks[int(to)]]:
            os.kill(rank, number)

    def end(self, within: float) -> set[int]:
        """The exit codes of the ranks, as far as they are told: by torchrun, in words."""
        code = self._program.done(within).returncode
        if not self._is_torchrun:
            return {code}
        told = [line.split("exitcode  : ")[1] for line in self.told().splitlines() if "exitcode  : " in line]
        return {int(line.split()[0]) for line in told}

    def told(self) -> str:
        """What all of them have written."""
        return self._program.out + self._program.err

    def left(self) -> list[int]:
        """Ranks that have not ended; a moment is given to one that was killed with its parent."""
        last = time.monotonic() + 10
        while (left := [rank for rank in self.ranks if _runs(rank)]) and time.monotonic() < last:
            time.sleep(0.1)
        return left


def started_by_vitcli(programs: Warm, *words: str, moment: str, root: str) -> Pair:
    """A pair of which the first process has started the other, in a moment of its training."""
    shutil.rmtree("runs/r", ignore_errors=True)
    program = programs.start("fit", "--data.root", root, *words, *TWO, ranks=1)
    _await(moment, program)
    return Pair([program.pid, *_children(program.pid)], program, is_torchrun=False)


def started_by_torchrun(programs: Warm, *words: str, moment: str, root: str, restarts: int = 0) -> Pair:
    """The same, where torchrun has started both, and starts them again so many times."""
    shutil.rmtree("runs/r", ignore_errors=True)
    options = ["--standalone", "--nproc-per-node", "2", "--max-restarts", restarts, "--no-python"]
    fit = [VITCLI, "fit", "--data.root", root, *words, *TWO]
    program = programs.start(*options, *fit, script=TORCHRUN, ranks=2)
    _await(moment, program)
    return Pair(sorted(_children(program.pid)), program, is_torchrun=True)


def _await(moment: str, program: Program) -> None:
    """Wait until it trains: for an epoch if in training, else for what fit writes before its first, long validation."""
    last = time.monotonic() + START_SECONDS
    metrics = Path("runs/r/metrics.csv")
    while not ("epoch 2/" in program.out + program.err if moment == "training" else metrics.is_file()):
        assert program.runs(), (program.done().returncode, program.out + program.err)
        assert time.monotonic() < last, program.out + program.err
        time.sleep(0.05)
    # a moment of its own each time
    time.sleep((2 if moment == "validation" else 0) + time.monotonic() % 0.5)


def _children(parent: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
