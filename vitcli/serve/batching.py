"""Micro-batching: images of all requests go through the net together, whatever waits when it is free."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Sequence
from time import perf_counter
from typing import NamedTuple, final

from vitcli.images.decode.pixels import Rgb
from vitcli.serve.engine import Engine, Map
from vitcli.serve.metrics import Metrics
from vitcli.serve.refusal import Refusal
from vitcli.table.row import Row


class Answered(NamedTuple):
    """What the net says of an image, and the map of where it comes from, if one was wanted and can be made."""

    row: Row
    map: Map | None


class _Waiting(NamedTuple):
    pixels: Rgb
    wants_map: bool
    answer: asyncio.Future[Answered]


@final
class Batcher:
    """A thread that hands the net what waits, at most ``batch_size`` at a time; it never waits for more to come.

    While the net is busy the next batch gathers by itself, so that one client is answered at once and many clients fill
    the batches. Places are counted from when a request has come until it is answered, so that decoded images are
    bounded too.

    Args:
        engine: The net.
        batch_size: Images that go through it at once.
        most: Places.
        metrics: Told of each batch.
    """

    def __init__(self, engine: Engine, batch_size: int, most: int, metrics: Metrics) -> None:
        self._engine = engine
        self._batch_size = batch_size
        self._most = most
        self._metrics = metrics
        self._queue: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self._seconds_an_image = 0.0
        self._thread = threading.Thread(target=self._work, name="net", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether there is still someone to answer."""
        return self._thread.is_alive()

    def admit(self, images: int) -> None:
        """Give places to the images of a request, which ``leave`` gives back.

        Args:
            images: How many; 0 asks only whether there is any place.

        Raises:
            Refusal: There are not enough places.
        """
        if self._metrics.waiting + max(1, images) > self._most:
            raise Refusal(
                429,
                f"{self._metrics.waiting} images are waiting, of at most {self._most}; try again later",
                self._metrics.waiting * self._seconds_an_image,
            )
        self._metrics.waiting += images

    def leave(self, images: int) -> None:
        """Give places back."""
        self._metrics.waiting -= images

    async def ask(self, pixels: Rgb, wants_map: bool) -> Answered:
        """What the net says of an image.

        Args:
            pixels: uint8 (3, height, width) in its size.
            wants_map: Whether a map is wanted too.
        """
        waiting = _Waiting(pixels, wants_map, asyncio.get_running_loop().create_future())
        with self._changed:
            self._queue.append(waiting)
            self._changed.notify()
        try:
            return await waiting.answer
        except asyncio.CancelledError:
            with self._changed:
                # its place is given back, so its pixels may not stay; by identity, as arrays have no equality
                self._queue = deque(one for one in self._queue if one is not waiting)
            raise

    def close(self) -> None:
        """End the thread, after the batch that it is at."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._is_closed)
                if self._is_closed:
                    return
                # those who have hung up have cancelled theirs
                batch = [one for one in self._taken() if not one.answer.cancelled()]
            if not batch:
                continue
            started = perf_counter()
            outcome: Sequence[Answered] | Exception
            try:
                outcome = self._answers(batch)
            except Exception as error:
                # of this batch alone: those who wait for it are told, and the next one may be better
                outcome = error
            seconds = perf_counter() - started
            # the loop is closed where the server has ended, as all who waited for these had left
            with contextlib.suppress(RuntimeError):
                batch[0].answer.get_loop().call_soon_threadsafe(self._deliver, batch, outcome, seconds)

    def _taken(self) -> list[_Waiting]:
        return [self._queue.popleft() for _ in range(min(self._batch_size, len(self._queue)))]

    def _answers(self, batch: Sequence[_Waiting]) -> list[Answered]:
        rows = self._engine.answer([one.pixels for one in batch])
        return [
            Answered(
                row,
                # one at a time: the attention of a whole batch, with its gradients, may take gigabytes
                self._engine.map_of(one.pixels, row.predicted)
                if one.wants_map and self._engine.method and row.status == "ok"
                else None,
            )
            for one, row in zip(batch, rows, strict=True)
        ]

    def _deliver(self, batch: Sequence[_Waiting], outcome: Sequence[Answered] | Exception, seconds: float) -> None:
        self._metrics.batches.observe(len(batch))
        # of the latest batches, for the answer to whoever finds no place
        self._seconds_an_image += 0.2 * (seconds / len(batch) - self._seconds_an_image)
        for place, one in enumerate(batch):
            if one.answer.done():
                continue
            if isinstance(outcome, Exception):
                one.answer.set_exception(outcome)
            else:
                one.answer.set_result(outcome[place])
