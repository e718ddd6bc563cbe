"""Two processes that train together, started by vitcli or by torchrun: found, sent signals, awaited, and looked for."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import final

from tests.warm import Program, Warm

TORCHRUN = str(Path(sys.executable).with_name("torchrun"))
VITCLI = str(Path(sys.executable).with_name("vitcli"))
TWO = ["--trainer.devices", "2", "--trainer.strategy", "ddp"]
START_SECONDS = 120


@final
class Pair:
    """Two ranks.

    Args:
        ranks: Numbers of the processes of rank 0 and 1.
        program: What was started, if by the process that forks.
        launcher: What was started otherwise.
        out: What the launcher and its ranks have written.
        err: The same, of errors.
    """

    def __init__(
        self, ranks: list[int], program: Program | None, launcher: subprocess.Popen[bytes] | None, out: Path, err: Path
    ) -> None:
        self.ranks = ranks
        self._program, self._launcher = program, launcher
        self._out, self._err = out, err

    def send(self, number: signal.Signals, to: str) -> None:
        """Send a signal to a rank, or to ``all``."""
        for rank in self.ranks if to == "all" else [self.ranks[int(to)]]:
            os.kill(rank, number)

    def end(self, within: float) -> set[int]:
        """The exit codes of the ranks, as far as they are told: by torchrun, in words."""
        if self._program is not None:
            return {self._program.done(within).returncode}
        assert self._launcher is not None
        self._launcher.wait(within)
        told = [line.split("exitcode  : ")[1] for line in self.told().splitlines() if "exitcode  : " in line]
        return {int(line.split()[0]) for line in told}

    def told(self) -> str:
        """What all of them have written."""
        if self._program is not None:
            return self._program.out + self._program.err
        return self._out.read_text() + self._err.read_text()

    def left(self) -> list[int]:
        """Ranks that have not ended; a moment is given to one that was killed with its parent."""
        last = time.monotonic() + 10
        while (left := [rank for rank in self.ranks if _runs(rank)]) and time.monotonic() < last:
            time.sleep(0.1)
        return left


def started_by_vitcli(programs: Warm, *words: str, moment: str, root: str) -> Pair:
    """A pair of which the first process has started the other, in a moment of its training."""
    shutil.rmtree("runs/r", ignore_errors=True)
    program = programs.start("fit", "--data.root", root, *words, *TWO)
    _await(moment, lambda: program.out + program.err, program.runs)
    return Pair([program.pid, *_children(program.pid)], program, None, Path(), Path())


def started_by_torchrun(programs: Warm, *words: str, moment: str, root: str, restarts: int = 0) -> Pair:
    """The same, where torchrun has started both, and starts them again so many times."""
    shutil.rmtree("runs/r", ignore_errors=True)
    command = [TORCHRUN, "--standalone", "--nproc-per-node", "2", "--max-restarts", str(restarts)]
    command += ["--no-python", VITCLI, "fit", "--data.root", root]
    with Path("torchrun.out").open("w") as out, Path("torchrun.err").open("w") as err:
        launcher = subprocess.Popen([*command, *words, *TWO], stdout=out, stderr=err)
    streams = Path("torchrun.out"), Path("torchrun.err")
    _await(moment, lambda: "".join(file.read_text() for file in streams), lambda: launcher.poll() is None)
    return Pair(sorted(_children(launcher.pid)), None, launcher, *streams)


def _await(moment: str, told: Callable[[], str], runs: Callable[[], bool]) -> None:
    """Wait until it trains: for an epoch if in training, else for what fit writes before its first, long validation."""
    last = time.monotonic() + START_SECONDS
    metrics = Path("runs/r/metrics.csv")
    while not ("epoch 2/" in told() if moment == "training" else metrics.is_file()):
        assert runs(), told()
        assert time.monotonic() < last, told()
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
