"""Read-ahead: pieces that are known to be wanted soon, fetched by threads in that order, as much as memory is given."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar, final

Key = TypeVar("Key", bound=Hashable)

# a thread that has had nothing to do for so long ends
IDLE_SECONDS = 5.0


class _Fetch:
    """A piece that is being fetched, or was: its bytes, none where it is kept on the disk, or why there are none."""

    def __init__(self, turn: int) -> None:
        self.turn = turn
        self.done = threading.Event()
        self.content: bytes | None = None
        self.error: Exception | None = None


@final
class Ahead(Generic[Key]):
    """Fetches what will be wanted, in the order in which that was said.

    What the disk does not keep is held in memory until it is wanted, or what was said after it is. If too much is held,
    nothing more is fetched: whoever wants a piece then fetches it.

    Args:
        fetch: The bytes of a piece; None if they are kept on the disk now.
        threads: How many pieces are fetched at once.
        most_bytes: Most that is held in memory.
    """

    def __init__(self, fetch: Callable[[Key], bytes | None], threads: int, most_bytes: int) -> None:
        self._fetch = fetch
        self._most_threads = threads
        self._most_bytes = most_bytes
        self._changed = threading.Condition()
        self._turn = 0
        self._threads = 0
        self._idle = 0
        self._held_bytes = 0
        # piece and turn, in order
        self._waiting: dict[Key, int] = {}
        self._begun: dict[Key, _Fetch] = {}

    def want(self, pieces: Iterable[Key]) -> None:
        """Say what will be wanted next, behind all that was said before."""
        with self._changed:
            self._turn += 1
            for piece in pieces:
                if piece not in self._begun:
                    self._waiting.setdefault(piece, self._turn)
            for _ in range(min(self._most_threads - self._threads, len(self._waiting) - self._idle)):
                self._threads += 1
                threading.Thread(target=self._run, name="ahead", daemon=True).start()
            self._changed.notify_all()

    def take(self, piece: Key) -> bytes | None:
        """A piece that is wanted now, waited for if it is being fetched; None if it is kept on the disk, or not begun.

        Raises:
            Exception: What fetching it has raised.
        """
        with self._changed:
            turn = self._waiting.pop(piece, None)
            begun = self._begun.get(piece)
            if begun is not None:
                self._let_go(begun.turn)
            elif turn is not None:
                self._let_go(turn)
        if begun is None:
            return None
        begun.done.wait()
        with self._changed:
            # whoever asks again fetches it again
            if self._begun.get(piece) is begun:
                del self._begun[piece]
                self._held_bytes -= len(begun.content or b"")
                self._changed.notify_all()
        if begun.error is not None:
            raise begun.error
        return begun.content

    def _let_go(self, turn: int) -> None:
        """Forget what was said before the last turn but one: threads take the pieces of a turn in any order."""
        for piece in [piece for piece, said in self._waiting.items() if said < turn - 1]:
            del self._waiting[piece]
        for piece in [piece for piece, begun in self._begun.items() if begun.turn < turn - 1 and begun.done.is_set()]:
            self._held_bytes -= len(self._begun.pop(piece).content or b"")
        self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
                ready = self._changed.wait_for(
                    lambda: bool(self._waiting) and self._held_bytes <= self._most_bytes, IDLE_SECONDS
                )
                self._idle -= 1
                if not ready:
                    self._threads -= 1
                    return
                piece = next(iter(self._waiting))
                begun = self._begun[piece] = _Fetch(self._waiting.pop(piece))
            self._do(piece, begun)

    def _do(self, piece: Key, begun: _Fetch) -> None:
        try:
            begun.content = self._fetch(piece)
        except Exception as error:
            begun.error = error
        with self._changed:
            if begun.content is None and begun.error is None:
                # on the disk
                del self._begun[piece]
            else:
                self._held_bytes += len(begun.content or b"")
            begun.done.set()
