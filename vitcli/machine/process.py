"""How does the process begin and end without a second of housekeeping each?"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Imports torch and what stands on it without looking for garbage among it; later collections leave it out too.

    Nearly half a million objects are made, nearly all to stay: looking through them again and again took a quarter of
    the time (docs/results.md, 2026-11-25). Nothing changes where torch is there already.
    """
    if "torch" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
        gc.freeze()
        # of what is not taken apart in order, torch's parts complain at the very end
        atexit.register(gc.unfreeze)
    finally:
        gc.enable()


class Exit:
    """Ends the process as soon as all that was registered for its end is done; made before anything is registered.

    What Python does after that, taking every module apart to free memory that the system takes back anyway, took a
    second after torch was used. A process that has no ``code`` yet, as one with an unexpected error, ends as usual.
    """

    def __init__(self) -> None:
        self.code: int | None = None
        # the first to be registered is the last to be called
        atexit.register(self._leave)

    def _leave(self) -> None:
        if self.code is None:
            return
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (OSError, ValueError):
            # closed by its reader: Python's own end says so
            return
        os._exit(self.code)
