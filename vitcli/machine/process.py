"""Start and end of the process: no garbage collection while torch is imported, no teardown of modules at exit."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Turns garbage collection off while torch is imported, and leaves what was imported out of later collections.

    Nearly half a million objects are made, nearly all to stay: scanning them again and again took a quarter of the time
    (docs/lab/2026-11-25.md). Nothing changes where torch is imported already.
    """
    if "torch" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
        gc.freeze()
        # else torch's objects are not destroyed in order, and print errors at exit
        atexit.register(gc.unfreeze)
    finally:
        gc.enable()


class Exit:
    """Ends the process right after all atexit handlers have run; made before any other is registered.

    What Python does after that, destroying every module to free memory that the system takes back anyway, took a
    second after torch was used. A process that has no ``code`` yet, as one with an unexpected error, ends as usual.
    """

    def __init__(self) -> None:
        self.code: int | None = None
        # the first handler to be registered is the last to be called
        atexit.register(self._leave)

    def _leave(self) -> None:
        if self.code is None:
            return
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (OSError, ValueError):
            # a pipe closed by its reader: Python reports that when it ends
            return
        os._exit(self.code)


def open_streams() -> None:
    """Make stdout and stderr writable, whatever they were started with.

    A daemon may start a program with closed ones, whose place the next file that is opened would take. Characters that
    the terminal's encoding lacks are written with backslashes.
    """
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_WRONLY)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))  # noqa: SIM115 -- for the process
        reconfigure = getattr(getattr(sys, name), "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def close_stdout() -> None:
    """Send what is still buffered for stdout nowhere: its reader has left."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
