"""Ranks: the processes of a job know at once when another one asks to stop, ends or dies, and soon if it falls silent.

A thread of each rank holds one TCP connection to rank 0. A process that dies closes it; one that is stopped, or whose
machine is gone, sends no more signs of life. The main thread may meanwhile wait in a collective for that very rank, for
ever with NCCL: it is interrupted, and if it does not come back from C, the thread ends the process.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, final

from vitcli.errors import UserError
from vitcli.machine.signals import SIGNALS, Stopped, outlive_parent
from vitcli.names import printable
from vitcli.train.output.bar import say
from vitcli.train.safety.agreement import Agreement
from vitcli.train.safety.children import Children
from vitcli.train.safety.handshake import shake_hands
from vitcli.train.safety.line import Line

if TYPE_CHECKING:
    from lightning.pytorch.strategies import Strategy

# exit code of a rank that ends because another one has died or does not answer
LOST = 75
LOOK_SECONDS = 0.2
BEAT_SECONDS = 1.0
# how the system tells of a child's end, after its connection is closed
STATUS_SECONDS = 1.0
# for the main thread to come back from C, and to leave
BACK_SECONDS = 3.0
LEAVE_SECONDS = 30.0
# for rank 0 to leave first, so that a launcher that ends all when one has ended does not disturb it
LINGER_SECONDS = 30.0
# a thread that has not looked for so long was itself stopped, and cannot say whether others were silent
PAUSED_SECONDS = 5.0
COLLECTIVE = re.compile(
    r"gloo|nccl|Connection (closed|reset)|Timed out waiting|Broken pipe|ProcessGroup|Socket Timeout|store",
    re.IGNORECASE,
)


@final
class Ranks:
    """What this process knows of the others of its job, and they of it.

    Args:
        verb: What they do, for messages.
    """

    def __init__(self, verb: str) -> None:
        self.verb = verb
        self.timeout_seconds = 300.0
        self.rank, self.world = 0, 1
        self.agreement = Agreement()
        # the signal after which all stop together
        self.asked: signal.Signals | None = None
        # why this process has to leave, if another one is gone
        self.lost: Stopped | None = None
        self._lines: dict[int, Line] = {}
        self._children = Children({})
        self._promises: dict[int, int] = {}
        self._gone: dict[int, float] = {}
        self._has_asked = False
        self._deadline: float | None = None
        self._ending = (1, "")
        self._parent = os.getppid() if "TORCHELASTIC_RUN_ID" in os.environ else None
        self._selector = selectors.DefaultSelector()
        self._thread: threading.Thread | None = None
        self._is_closing = False

    def watch(self, children: Mapping[int, subprocess.Popen[bytes]]) -> None:
        """Watch processes that this one has started, and see that none outlives it.

        Args:
            children: By rank.
        """
        self._children = Children(children)
        atexit.register(self._end_children)
        self._start()

    def connect(self, strategy: Strategy, address: str, *, is_one_machine: bool) -> None:
        """Connect to all others; every process calls it, once they can broadcast.

        Args:
            strategy: Knows ranks, and broadcasts.
            address: Of the machine of rank 0.
            is_one_machine: Whether all run on the same one, so that no other need reach it.

        Raises:
            ConfigError: A process cannot reach rank 0.
        """
        if self.world > 1 or strategy.world_size == 1:  # type: ignore[attr-defined]
            return
        self.rank = strategy.global_rank  # type: ignore[attr-defined]
        self._lines = shake_hands(strategy, address, is_one_machine=is_one_machine)
        self.world = strategy.world_size  # type: ignore[attr-defined]
        for rank, line in self._lines.items():
            self._selector.register(line.connection, selectors.EVENT_READ, rank)
        # from here on it is told of its parent's end, and can say so
        outlive_parent()
        self._start()

    def stops_here(self) -> bool:
        """Whether to stop at this point, which every process reaches; its main thread asks."""
        SIGNALS.check()
        return self.agreement.arrives() if self.world > 1 else SIGNALS.asked is not None

    @property
    def asked_by(self) -> signal.Signals | None:
        """The signal after which this process, or all, are to stop."""
        return self.asked or SIGNALS.asked

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """Notes how the work of this process ends, which ``close`` tells the others.

        Raises:
            Stopped: In place of an error in a collective, if a process that takes part in it is gone.
        """
        try:
            yield
        except Exception as error:
            SIGNALS.is_leaving = True
            if self.world > 1 and COLLECTIVE.search(str(error)):
                last = time.monotonic() + 3 * STATUS_SECONDS
                while self.lost is None and time.monotonic() < last:
                    time.sleep(LOOK_SECONDS)
                if self.lost is not None:
                    self._ending = self.lost.code, self.lost.reason
                    raise self.lost from error
            code = 2 if isinstance(error, UserError) else 1
            self._ending = code, f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise
        except Stopped as stopped:
            self._ending = stopped.code, stopped.reason
            raise
        except BaseException as error:
            self._ending = 1, type(error).__name__
            raise
        self._ending = 0, ""

    def close(self) -> None:
        """Tell the others that this process leaves, and how; the last thing it does."""
        if self._thread is None:
            return
        self._is_closing = True
        self._thread.join(2 * LINGER_SECONDS)
        self._thread = None

    def _start(self) -> None:
        if self._thread is None:
            SIGNALS.at_once.append(self._at_once)
            self._thread = threading.Thread(target=self._run, name="ranks", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        beat = looked = time.monotonic()
        while not self._is_closing:
            for key, _ in self._selector.select(LOOK_SECONDS):
                self._read(key.data)
            if not self._selector.get_map():
                time.sleep(LOOK_SECONDS)
            now = time.monotonic()
            if now - looked > PAUSED_SECONDS:
                for line in self._lines.values():
                    line.heard = now
            looked = now
            if now - beat >= BEAT_SECONDS:
                beat = now
                for line in list(self._lines.values()):
                    line.send(beat=1)
            self._look(now)
        self._part()

    def _look(self, now: float) -> None:
        """What happened beside messages: signals, ends of children, silence, a main thread that does not come back."""
        if SIGNALS.asked is not None and SIGNALS.patience and not self._has_asked:
            self._has_asked = True
            if self.rank == 0:
                self._prepare(SIGNALS.asked, 0)
            else:
                self._lines[0].send(asked=int(SIGNALS.asked))
        if self._parent is not None and os.getppid() != self._parent:
            self._parent = None
            self._lose("the process that has launched it is gone")
        for rank in self._children:
            line = self._lines.get(rank)
            if (self.world == 1 or rank in self._gone) and (failure := self._children.failure(rank)):
                self._lose(f"{line.who if line else f'rank {rank}'} {failure}")
        for rank, until in list(self._gone.items()):
            if now > until:
                self._lose(f"{self._lines[rank].who} has died")
        for line in self._lines.values():
            silent = now - line.heard
            # this process has to be gone by then
            if not line.is_parted and silent > self.timeout_seconds - min(2 * BACK_SECONDS, self.timeout_seconds / 2):
                self._lose(f"{line.who} has not answered for {silent:.0f} s; see run.timeout_seconds")
        if self._deadline is not None and now > self._deadline:
            self._end_for_main(now)

    def _read(self, rank: int) -> None:
        line = self._lines[rank]
        messages = line.receive()
        if messages is None:
            self._selector.unregister(line.connection)
            line.close()
            if not line.is_parted:
                line.is_parted = True
                local = rank in self._children
                self._gone[rank] = time.monotonic() + (STATUS_SECONDS if local else 0)
            return
        for message in messages:
            if "bye" in message:
                line.is_parted = True
                if message["bye"]:
                    self._lose(f"{line.who} has ended: {message['why']}", int(message["bye"]))
            elif "left" in message:
                self._lose(str(message["left"]), int(message["code"]))
            elif "asked" in message:
                self._prepare(signal.Signals(message["asked"]), rank)
            elif "prepare" in message:
                self.asked = signal.Signals(message["prepare"])
                line.send(promise=self.agreement.promise())
            elif "promise" in message:
                self._promises[rank] = int(message["promise"])
                self._settle_if_all()
            elif "stop_at" in message:
                self.agreement.settle(int(message["stop_at"]))

    def _prepare(self, number: signal.Signals, rank: int) -> None:
        """Ask all for their promises; on rank 0."""
        if self.asked is not None:
            return
        self.asked = number
        if rank:
            say(f"{number.name} to rank {rank}: all stop after this step", sys.stderr)
        self._promises[0] = self.agreement.promise()
        for line in self._lines.values():
            line.send(prepare=int(number))
        self._settle_if_all()

    def _settle_if_all(self) -> None:
        if len(self._promises) == self.world and not self.agreement.is_settled:
            stop_at = max(self._promises.values())
            self.agreement.settle(stop_at)
            for line in self._lines.values():
                line.send(stop_at=stop_at)

    def _lose(self, reason: str, code: int = LOST) -> None:
        """Leave, because another process is gone; the others are told which one."""
        if self.lost is not None:
            return
        self.lost = Stopped(reason, code)
        if self.rank == 0:
            for line in self._lines.values():
                line.send(left=reason, code=code)
        self._deadline = time.monotonic() + BACK_SECONDS
        SIGNALS.leave(self.lost)

    def _end_for_main(self, now: float) -> None:
        """End the process for its main thread, which is held up."""
        assert self.lost is not None
        assert self._deadline is not None
        if SIGNALS.is_leaving and now < self._deadline + LEAVE_SECONDS:
            return
        if not SIGNALS.is_leaving:
            say(printable(f"vitcli {self.verb}: {self.lost.reason}"), sys.stderr)
        SIGNALS.end_at_once(self.lost.code)

    def _part(self) -> None:
        """Say that this process leaves; a rank that fails lets rank 0 go first."""
        code, why = self._ending
        for line in self._lines.values():
            line.send(bye=code, why=why)
            with contextlib.suppress(OSError):
                line.connection.shutdown(socket.SHUT_WR)
        lingers = self.rank > 0 and code != 0 and self.lost is None
        last = time.monotonic() + (LINGER_SECONDS if lingers else STATUS_SECONDS)
        while self._selector.get_map() and time.monotonic() < last:
            for key, _ in self._selector.select(LOOK_SECONDS):
                line = self._lines[key.data]
                messages = line.receive()
                if messages is None or any("bye" in message for message in messages):
                    self._selector.unregister(line.connection)
                    line.close()
        for line in self._lines.values():
            line.close()
        self._selector.close()

    def _end_children(self) -> None:
        # one that does not answer will not end either
        self._children.end(LINGER_SECONDS if self.lost is None else 2 * BACK_SECONDS)

    def _at_once(self, code: int) -> None:
        for line in self._lines.values():
            line.send(bye=code, why="left at once")
        self._children.kill()
