"""Contestants that take turns: each alive in a process of its own, one at work at a time, and what others burnt.

A process of its own gives each its own peak memory and its own allocator; turns A B C A B C ... let the machine's moods
fall on all of them alike. A turn is one step, or as many as fill ``TURN_SECONDS`` where a step is shorter: /proc/stat
counts in hundredths of a second. A round in which other processes burnt too much is given up and run again. Linux only.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import math
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

TURN_SECONDS = 0.5
PATIENCE_SECONDS = 600.0  # to import, to build, to compile, or for one turn
LEAVE_SECONDS = 10.0  # to end a loader's workers and Python
SETTLE_SECONDS = 0.03  # OpenMP's threads spin a few milliseconds after their last work
TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
CORES = len(os.sched_getaffinity(0))


class Turn(NamedTuple):
    """What a turn cost: seconds a step, and cores that other processes burnt meanwhile."""

    seconds: float
    others: float


class LeftOut(Exception):  # noqa: N818 -- it is no error of the benchmark's
    """A contestant that cannot go on; says why."""


class Job(NamedTuple):
    """What a worker runs: a step, a wait for the device, and where its memory lies.

    A program that has its own loop runs in the main thread meanwhile, as it does elsewhere, and ``step`` lets it go on:
    a second thread that computes would have a second team of OpenMP's, and with more threads than cores none spins.
    """

    step: Callable[[], None]
    wait: Callable[[], None]
    device: str
    main: Callable[[], None] | None = None


def serve(pipe: Connection, prepare: Callable[..., Job], arguments: tuple[Any, ...]) -> None:
    """The worker: build, then do as it is told."""
    try:
        Path("/proc/self/oom_score_adj").write_text("1000")  # if memory runs out, no one else pays
        job = prepare(*arguments)
    except (EOFError, KeyboardInterrupt):
        return
    except Exception as error:
        pipe.send(left_out(error))
        return
    if job.main is None:
        obey(pipe, job)
    else:
        threading.Thread(target=lambda: (obey(pipe, job), os._exit(0))).start()
        job.main()


def left_out(error: Exception) -> LeftOut:
    return LeftOut(f"{type(error).__name__}: {' '.join(str(error).split())[:160]}")


def obey(pipe: Connection, job: Job) -> None:
    """Run so many steps whenever told."""
    try:
        pipe.send("built")
        pipe.recv()
        pipe.send(_warm_up(job))
        while steps := pipe.recv():
            burnt = family_seconds()
            if steps > 1 or job.device == "cuda":
                job.step()  # wakes the cores and fills the caches that the others left cold
            job.wait()
            begin = time.perf_counter()
            for _ in range(steps):
                job.step()
            job.wait()
            seconds = (time.perf_counter() - begin) / steps
            if job.device == "cuda":
                torch_cuda().empty_cache()  # which all contestants share
            pipe.send((seconds, family_seconds() - burnt))
    except (EOFError, KeyboardInterrupt):
        return
    except Exception as error:
        pipe.send(left_out(error))


def family_seconds() -> float:
    """Processor time of this process and of all those below it, such as a loader's workers."""
    children: dict[int, list[int]] = {}
    ticks: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        pid = int(stat.parent.name)
        children.setdefault(int(fields[1]), []).append(pid)
        # those that have ended and were waited for are counted by their parent
        ticks[pid] = sum(map(int, fields[11:15]))
    below, waiting = 0, list(children.get(os.getpid(), ()))
    while waiting:
        pid = waiting.pop()
        below += ticks.get(pid, 0)
        waiting += children.get(pid, ())
    ended = os.times()
    return time.process_time() + ended.children_user + ended.children_system + below * TICK_SECONDS


def _warm_up(job: Job) -> tuple[float, int]:
    """Seconds of the second step, and bytes at its peak over those held before it; the first wakes everything up."""
    peak, base = 0, 0
    for _ in range(2):
        base = _forget_peak(job.device)
        begin = time.perf_counter()
        job.step()
        job.wait()
        seconds = time.perf_counter() - begin
        peak = torch_cuda().max_memory_allocated() if job.device == "cuda" else _status("VmHWM")
    return seconds, peak - base


def _forget_peak(device: str) -> int:
    """Let the peak begin anew; the bytes held now. On a CPU in place of ru_maxrss, which cannot."""
    if device == "cuda":
        torch_cuda().reset_peak_memory_stats()
        return torch_cuda().memory_allocated()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def torch_cuda() -> Any:
    """The workers' torch; this file's other half, the parent, has no need of it."""
    import torch

    return torch.cuda


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:")) * 1024


def available_bytes() -> int:
    """Memory that this machine could still lend."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) * 1024


class Clock:
    """Cores burnt by everyone since the last look; what is not idle counts, a hypervisor's stealing too."""

    def __init__(self) -> None:
        self.cpus, self.idle = self._look()
        self.begin = time.monotonic()

    def burnt(self) -> tuple[float, float]:
        """Seconds passed, and core-seconds burnt in them."""
        seconds = time.monotonic() - self.begin
        return seconds, self.cpus * seconds - (self._look()[1] - self.idle)

    @staticmethod
    def _look() -> tuple[int, float]:
        lines = [line.split() for line in Path("/proc/stat").read_text().splitlines() if line.startswith("cpu")]
        return len(lines) - 1, (int(lines[0][4]) + int(lines[0][5])) * TICK_SECONDS


class Worker:
    """A contestant's process, seen from the parent."""

    def __init__(self, name: str, prepare: Callable[..., Job], arguments: tuple[Any, ...]) -> None:
        context = multiprocessing.get_context("spawn")
        self.name = name
        self.pipe, other = context.Pipe()
        # no daemon: those may have no workers of their own
        self.process = context.Process(target=serve, args=(other, prepare, arguments))
        self.process.start()
        other.close()
        self.steps = 1
        self.step_seconds = math.nan
        self.memory_bytes = 0

    def answer(self) -> Any:
        """What the worker says next; raises LeftOut if it failed, died or took too long."""
        if not self.pipe.poll(PATIENCE_SECONDS):
            raise LeftOut(f"no answer within {PATIENCE_SECONDS:g} s")
        try:
            answer = self.pipe.recv()
        except (EOFError, OSError) as error:
            self.process.join(5)
            raise LeftOut(f"its process died (exit code {self.process.exitcode}; -9: out of memory?)") from error
        if isinstance(answer, LeftOut):
            raise answer
        return answer

    def ask(self, steps: int) -> Any:
        """Have so many steps run."""
        try:
            self.pipe.send(steps)
        except OSError as error:
            raise LeftOut("its process died") from error
        return self.answer()

    def warm_up(self, slow_seconds: float, turn_seconds: float) -> None:
        """Two steps, from which follow the steps of a turn and the memory."""
        self.step_seconds, self.memory_bytes = self.ask(1)
        if self.step_seconds > slow_seconds:
            raise LeftOut(f"a step takes {self.step_seconds:.1f} s, above --slow {slow_seconds:g}")
        self.steps = max(1, math.ceil(turn_seconds / self.step_seconds))

    def turn(self) -> Turn:
        """One turn, while all other workers wait."""
        time.sleep(SETTLE_SECONDS)
        own, clock = time.process_time(), Clock()
        seconds, worker = self.ask(self.steps)
        passed, burnt = clock.burnt()
        return Turn(seconds, (burnt - worker - (time.process_time() - own)) / passed)

    def stop(self) -> None:
        """End the process: by asking, so that it clears up after itself, or else by force."""
        with contextlib.suppress(OSError):
            self.pipe.send(0)
            self.process.join(LEAVE_SECONDS)
        self.process.kill()
        self.process.join()
        self.pipe.close()


class Outcome(NamedTuple):
    """The quiet rounds of a cell: each contestant's turns, in step; and how many rounds were given up."""

    turns: dict[str, list[Turn]]
    memory_bytes: dict[str, int]
    left_out: dict[str, str]
    dropped: int


def interleave(
    contestants: Mapping[str, tuple[Any, ...]],
    prepare: Callable[..., Job],
    rounds: int,
    bound: int,
    limit: float,
    slow_seconds: float,
    turn_seconds: float = TURN_SECONDS,
) -> Outcome:
    """Run rounds until enough of them were quiet (others burnt at most ``limit`` cores in each turn), or the bound."""
    workers = [Worker(name, prepare, arguments) for name, arguments in contestants.items()]
    outcome = Outcome({name: [] for name in contestants}, {}, {}, 0)

    def attempt(worker: Worker, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except LeftOut as error:
            outcome.left_out[worker.name] = str(error)
            outcome.turns.pop(worker.name)
            worker.stop()

    def alive() -> list[Worker]:
        return [worker for worker in workers if worker.name not in outcome.left_out]

    dropped = 0
    try:
        for worker in workers:
            attempt(worker, worker.answer)
        for worker in alive():
            attempt(worker, lambda worker=worker: worker.warm_up(slow_seconds, turn_seconds))
        for number in itertools.count():
            if number == bound or number - dropped == rounds or not alive():
                break
            turns = {}
            for worker in alive():
                turn = attempt(worker, worker.turn)
                if turn is not None:
                    turns[worker.name] = turn
                    if turn.others > limit:
                        break
            if any(turn.others > limit for turn in turns.values()):
                dropped += 1
                time.sleep(1)
                continue
            for name, turn in turns.items():
                outcome.turns[name].append(turn)
    finally:
        for worker in alive():
            worker.stop()
    memory = {worker.name: worker.memory_bytes for worker in alive()}
    return outcome._replace(memory_bytes=memory, dropped=dropped)
