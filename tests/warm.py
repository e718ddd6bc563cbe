"""Processes that need not import torch, which takes seconds each: forked from one that has, for whoever asks.

A program has a folder, an environment, standard streams and signals of its own; it runs vitcli, or other code, and ends
as any process does. Only what it has imported is that of the process from which it was forked.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.spare import receive, send, wait_apart
from vitcli.machine import process
from vitcli.machine.process import Exit

VITCLI = str(Path(sys.executable).with_name("vitcli"))
# an error is told as ever; only what Python takes apart after that is left as it is (SERVE)
SCRIPT = """
import runpy, sys
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except BaseException as error:
    code = error.code if isinstance(error, SystemExit) else 1
    ending.code = code if isinstance(code, int) else int(code is not None)
    raise
"""
COMMAND = """
import sys
from vitcli.__main__ import command
sys.exit(command())
"""

# code that comes to its end has nothing more to take apart, which takes a second; an error ends it as it ends any other
SERVE = """
from tests.warm import serve
code, ending = serve()
exec(code)
ending.code = 0
"""


class Program:
    """A process that runs, and how it ended."""

    def __init__(self, words: tuple[str, ...], answers: int, streams: tuple[Path, Path]) -> None:
        self.words = words
        self._answers = os.fdopen(answers, "rb", buffering=0)
        self._streams = streams
        pid = self._answers.readline()
        assert pid, "the process to fork from has ended; why, it has written to standard error"
        self.pid = int(pid)

    @property
    def out(self) -> str:
        """What it has written to its standard output so far."""
        return self._streams[0].read_text()

    @property
    def err(self) -> str:
        """What it has written to its standard error so far."""
        return self._streams[1].read_text()

    def runs(self, within: float = 0) -> bool:
        """Whether it has not ended after so many seconds."""
        return not select.select([self._answers], [], [], within)[0]

    def until(self, text: str, within: float = 60) -> None:
        """Wait until it has written this to its standard output."""
        last = time.monotonic() + within
        while text not in self.out:
            assert time.monotonic() < last, self.err
            assert self.runs(0.002) or text in self.out, self.err

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def end(self) -> None:
        """Kill it, if a test has failed before it ended."""
        if not self._answers.closed and self.runs():
            self.send(signal.SIGKILL)

    def done(self, within: float = 300) -> subprocess.CompletedProcess[str]:
        """Its end, as subprocess tells it; one that has not ended after so many seconds is killed."""
        if self.runs(within):
            self.send(signal.SIGKILL)
            raise subprocess.TimeoutExpired(self.words, within, self.out, self.err)
        with self._answers:
            code = int(self._answers.readline())
        return subprocess.CompletedProcess(self.words, code, self.out, self.err)


class Warm:
    """The process from which programs are forked.

    Args:
        folder: For what programs write to their standard streams.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[Program] = []
        self._socket, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-c", SERVE]
            self._process = subprocess.Popen(command, stdin=theirs, cwd=Path(__file__).parents[1])

    def start(
        self,
        *words: object,
        code: str = COMMAND,
        script: str = VITCLI,
        ranks: int = 0,
        enter: str = "",
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        most: int = resource.RLIM_INFINITY,
    ) -> Program:
        """A program.

        Args:
            words: Those of its command line.
            code: What it runs: vitcli, or a script.
            script: What is run, if not vitcli: a Python script. Lightning starts it for a second process of the job.
            ranks: How many vitclis this one will start that need not import torch either; others do so.
            enter: Code that is run first, also for those.
            environment: Beside this process's.
            folder: In which it runs; None: this process's.
            most: How large in bytes a file that it writes may grow.
        """
        said = tuple(map(str, words))
        out, err = (self._folder / f"{len(self._started)}.{name}" for name in ("out", "err"))
        answers, theirs = os.pipe()
        code = code if script == VITCLI else SCRIPT
        asked = {
            "argv": (script, *said),
            "code": code,
            "most": most,
            "ranks": ranks,
            "enter": enter,
            "folder": str(folder or Path.cwd()),
            # not that of the service which wandb has started for this process
            "environment": {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}
            | dict(environment or {}),
        }
        with out.open("w") as to_out, err.open("w") as to_err, os.fdopen(theirs):
            send(self._socket, asked, [to_out.fileno(), to_err.fileno(), theirs])
        self._started.append(Program(said, answers, (out, err)))
        return self._started[-1]

    def run(self, *words: object, **options: Any) -> subprocess.CompletedProcess[str]:
        """The same, awaited."""
        return self.start(*words, **options).done()

    def close(self) -> None:
        for program in self._started:
            program.end()
        self._socket.close()
        self._process.wait(60)


@contextmanager
def warm(folder: Path) -> Iterator[Warm]:
    """A process to fork programs from, for as long as they are needed."""
    started = Warm(folder)
    try:
        yield started
    finally:
        started.close()


def serve() -> tuple[str, Exit]:
    """Import what vitcli needs; then, in each program that is asked for, the code that it runs and how it ends."""
    from vitcli.machine.openmp import spin_briefly

    # the first thing that a vitcli does, so that it is the last that is called at its end
    ending = Exit()
    process.Exit = lambda: ending  # type: ignore[assignment, misc, return-value]
    spin_briefly()
    with process.uncollected():
        # the reader of tables, which every run needs in the end
        import pyarrow.compute
        import pyarrow.csv  # noqa: F401

        import vitcli.__main__
        import vitcli.cli.trainer.command  # noqa: F401

    # the folder in which it was started is no program's
    sys.path.remove("")
    asked = socket.socket(fileno=os.dup(0))
    # whoever has waited for a program ends without being waited for
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        received = receive(asked)
        if received is None:
            os._exit(0)
        said, streams = received
        if not os.fork():
            break
        for stream in streams:
            os.close(stream)
    asked.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *streams, answers = streams
    program = os.fork()
    if program:
        os.write(answers, b"%d\n" % program)
        _, status = os.waitpid(program, 0)
        os.write(answers, b"%d\n" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    os.close(answers)
    exec(said["enter"], {})
    if (rank := wait_apart(said["ranks"], VITCLI)) is not None:
        for stream in streams:
            os.close(stream)
        its, streams = rank
        return become(its | {"code": COMMAND, "most": said["most"]}, streams), ending
    streams.insert(0, os.open(os.devnull, os.O_RDONLY))
    return become(said, streams), ending


def become(said: dict[str, Any], streams: list[int]) -> str:
    """Take the place that a program was given."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    for stream in streams:
        os.close(stream)
    os.chdir(said["folder"])
    os.environ.clear()
    os.environ.update(said["environment"])
    _be_ranked()
    sys.argv = said["argv"]
    resource.setrlimit(resource.RLIMIT_FSIZE, (said["most"], resource.RLIM_INFINITY))
    code: str = said["code"]
    return code


def _be_ranked() -> None:
    """Lightning asks for its rank as it is imported, which it is already."""
    from lightning.fabric.utilities import rank_zero
    from lightning_utilities.core.rank_zero import rank_zero_only

    rank_zero.rank_zero_only.rank = rank_zero_only.rank = rank_zero._get_rank() or 0
