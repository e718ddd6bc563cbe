"""Signals that ask a process to stop: it leaves at once, or, while there is work to save, at the next point that can.

A handler of Python's runs only when the main thread comes back from C, which it may not do for minutes. So a thread
hears every signal as well, through the file descriptor that C writes to (``signal.set_wakeup_fd``): a second one always
ends the process.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, final

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP)
# by which a thread interrupts the main one; a process that has no handler for it ignores it
POKE = signal.SIGURG
# timeout(1) sends its signal to the process and to its group: both are one
TWICE_SECONDS = 0.5
# for the main thread to come back from C
BACK_SECONDS = 8.0
PR_SET_PDEATHSIG = 1


class Stopped(BaseException):
    """This process leaves before its work is done.

    Args:
        reason: Why, for the user.
        code: Exit code.
        by: The signal that has asked for it, if one has.
    """

    def __init__(self, reason: str, code: int, by: signal.Signals | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.by = by

    @classmethod
    def asked_by(cls, number: signal.Signals) -> Stopped:
        """After a signal: the code is 128 and its number, as shells have it."""
        return cls("stopped" if number == signal.SIGINT else f"stopped by {number.name}", 128 + number, number)


def _ignore(number: signal.Signals) -> None:
    pass


@final
class Signals:
    """What this process does when it is asked to stop.

    ``patience`` says for how many seconds it may go on: 0 raises Stopped in the main thread at once; ``math.inf`` lets
    it go on until it looks at ``asked`` itself; what lies between raises Stopped then, if the patience still ends.
    """

    def __init__(self) -> None:
        self.patience = 0.0
        self.asked: signal.Signals | None = None
        # whether modules are being imported, which an exception in the wrong place would abort or hold up for ever
        self.is_importing = False
        # whether it is leaving, so that nothing more is raised in what it still has to do
        self.is_leaving = False
        # told of a first signal for which there is patience, by the thread
        self.on_asked: Callable[[signal.Signals], None] = _ignore
        # to be done before the process is ended at once, such as ending others that it has started
        self.at_once: list[Callable[[int], None]] = []
        self._pending: Stopped | None = None
        self._is_listening = False
        self._writer: socket.socket | None = None

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Answers signals as said, in the main thread; what was done with them before is done again afterwards."""
        if self._is_listening or threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in (*STOPPING, POKE)}
        self.listen()
        try:
            yield
        finally:
            self._is_listening = False
            for number, handler in before.items():
                # None: not installed from Python
                signal.signal(number, signal.SIG_DFL if handler is None else handler)
            signal.set_wakeup_fd(-1)
            assert self._writer is not None
            self._writer.close()

    def listen(self) -> None:
        """Answer signals as said from here on, to the end of the process; in its main thread."""
        self._is_listening = True
        self.patience, self.asked, self._pending = 0.0, None, None
        self.is_importing, self.is_leaving = False, False
        self.on_asked, self.at_once = _ignore, []
        reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._listen, args=(reader,), name="signals", daemon=True).start()
        for number in (*STOPPING, POKE):
            # what is started by nohup goes on when its terminal is closed
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._in_main)

    def leave(self, stopped: Stopped) -> None:
        """Have the main thread raise this, as soon as it is back from C; to be called in another thread."""
        if self._pending is None:
            self._pending = stopped
        main = threading.main_thread().ident
        if self._is_listening and main is not None:
            signal.pthread_kill(main, POKE)

    def check(self) -> None:
        """Raise what could not be raised where it was due, as in a destructor, which swallows it."""
        if self._pending is not None:
            raise self._pending

    def end_at_once(self, code: int) -> None:
        """End this process and those that it has started, with no regard to what they are doing."""
        for do in self.at_once:
            with contextlib.suppress(Exception):
                do(code)
        end_workers()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(code)

    def _in_main(self, number: int, frame: Any) -> None:
        if self.asked is None and number != POKE:
            self.asked = signal.Signals(number)
        if self.is_leaving or self.is_importing:
            return
        if self._pending is not None:
            self.is_leaving = True
            raise self._pending
        if self.patience == 0 and self.asked is not None:
            self.is_leaving = True
            self._pending = Stopped.asked_by(self.asked)
            raise self._pending

    def _listen(self, reader: socket.socket) -> None:
        heard: float | None = None
        with reader:
            while True:
                try:
                    numbers = reader.recv(64)
                except TimeoutError:
                    reader.settimeout(self._insist())
                    continue
                if not numbers or not self._is_listening:
                    return
                for number in numbers:
                    if number not in STOPPING:
                        continue
                    if heard is None:
                        heard = time.monotonic()
                        reader.settimeout(self._hear(signal.Signals(number)))
                    elif time.monotonic() - heard > TWICE_SECONDS:
                        # a launcher ends the ranks that are left as soon as one has ended; all is saved by then
                        first = self.asked if self.is_leaving else None
                        self.end_at_once(128 + (first or number))

    def _hear(self, number: signal.Signals) -> float | None:
        """Note the first signal; the seconds after which to insist on it, if at all."""
        if self.asked is None:
            self.asked = number
        if self.is_importing:
            self._end_for_main()
        if self.patience == 0:
            return BACK_SECONDS
        self.on_asked(number)
        return None if math.isinf(self.patience) else self.patience

    def _insist(self) -> float | None:
        """Interrupt a main thread that was patient for too long, or end the process if it does not come back from C."""
        assert self.asked is not None
        if math.isinf(self.patience) or self.is_leaving:
            return None
        if self._pending is None and self.patience > 0:
            self.leave(Stopped.asked_by(self.asked))
            return BACK_SECONDS
        self._end_for_main()
        return None

    def _end_for_main(self) -> None:
        assert self.asked is not None
        stopped = Stopped.asked_by(self.asked)
        with contextlib.suppress(Exception):
            print(f"vitcli: {stopped.reason}", file=sys.stderr)
        self.end_at_once(stopped.code)


SIGNALS = Signals()


def as_worker() -> None:
    """Leave signals to the process that has started this one to read images for it, and end when that ends.

    They are often sent to all processes of a group, and the step in progress still needs its images.
    """
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    end_with_parent(os.getppid())


def end_with_parent(parent: int, by: signal.Signals = signal.SIGKILL) -> None:
    """Have the system end this process when its parent has died; on Linux, others have no such thing.

    Args:
        parent: Its process number; if it has died already, this one ends now.
        by: The signal that it is sent.
    """
    _on_parents_death(by)
    if os.getppid() != parent:
        os._exit(128 + by)


def outlive_parent() -> None:
    """Undo end_with_parent."""
    _on_parents_death(0)


def end_workers() -> None:
    """Kill what multiprocessing has started."""
    if "multiprocessing" in sys.modules:
        import multiprocessing

        for child in multiprocessing.active_children():
            child.kill()


def _on_parents_death(number: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def _in_fork() -> None:
    # a worker process must not write to the file descriptor through which its parent hears signals
    if SIGNALS._is_listening:
        signal.set_wakeup_fd(-1)
        SIGNALS._is_listening = False
        for number in STOPPING:
            signal.signal(number, signal.SIG_IGN)


os.register_at_fork(after_in_child=_in_fork)
