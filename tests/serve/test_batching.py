"""What waits for the net is counted, and leaves no pixels behind when its client has left."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Sequence

import numpy as np
import pytest

from tests.serve.loop import finished
from vitcli.images.decode.pixels import Rgb
from vitcli.preprocess import Preprocess
from vitcli.serve.batching import Answered, Batcher
from vitcli.serve.engine import Engine, Map
from vitcli.serve.metrics import Metrics
from vitcli.table.row import Row


class Busy(Engine):
    """A net that is at a batch until it is let go."""

    def __init__(self) -> None:
        super().__init__("net", ("a", "b"), Preprocess(size=(8, 8)), "cpu")
        self.begun, self.let_go = threading.Event(), threading.Event()

    def answer(self, images: Sequence[Rgb]) -> list[Row]:
        self.begun.set()
        assert self.let_go.wait(60)
        raise RuntimeError("nobody waits for this")

    def map_of(self, image: Rgb, predicted: str) -> Map:
        raise NotImplementedError


def pixels() -> Rgb:
    return np.zeros((3, 8, 8), dtype=np.uint8)


async def asked(batcher: Batcher, net: Busy) -> asyncio.Task[Answered]:
    """The first image, once the net is at it."""
    task = asyncio.create_task(batcher.ask(pixels(), False))
    assert await asyncio.to_thread(net.begun.wait, 60)
    return task


def test_the_pixels_of_a_client_that_has_left_are_let_go_while_the_net_is_busy():
    net = Busy()
    batcher = Batcher(net, 1, 8, Metrics())

    async def leave() -> None:
        first = await asked(batcher, net)
        held = pixels()
        known = weakref.ref(held)
        leaving, staying = (asyncio.create_task(batcher.ask(each, False)) for each in (held, pixels()))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait([leaving])
        del held, leaving
        gc.collect()
        assert known() is None
        assert not staying.done()
        net.let_go.set()
        for one in (first, staying):
            with pytest.raises(RuntimeError, match="nobody"):
                await one

    finished(leave())
    batcher.close()


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_net_may_come_to_its_end_after_the_loop_of_the_server():
    net = Busy()
    batcher = Batcher(net, 1, 8, Metrics())

    async def leave() -> None:
        leaving = await asked(batcher, net)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)

    finished(leave())
    net.let_go.set()
    batcher.close()
    assert not batcher.is_alive
