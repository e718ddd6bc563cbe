"""The server's life: uvicorn in a thread, signals in the main one; what was accepted is answered before the end."""

from __future__ import annotations

import asyncio
import math
import signal
import socket
import threading
from collections.abc import Callable
from typing import final

import uvicorn

from vitcli.machine.signals import SIGNALS, Stopped
from vitcli.serve.app import Service
from vitcli.serve.watchdog import Watchdog

# Between the signal and the end of listening: connections that the system has accepted already are taken up, and
# clients that keep theirs open are told in their next answer that it closes.
LAST_SECONDS = 0.5
HEADER_BYTES = 16 * 2**10
BACKLOG = 1024


@final
class Life:
    """One serving, from the first request to the last; to be used in the main thread.

    SIGTERM, SIGINT, SIGHUP and SIGUSR1 end it: no more connections are taken, those that are being answered get their
    answer, and ``vitcli.machine.signals`` ends the process at once on a second one.

    Args:
        service: What answers.
        listening: The socket.
        on_start: Called once, when it listens.
    """

    def __init__(self, service: Service, listening: socket.socket, on_start: Callable[[], None]) -> None:
        self._service = service
        self._listening = listening
        self._on_start = on_start
        self._error: BaseException | None = None
        self._asked = threading.Event()
        self._wake: Callable[[], object] = self._asked.set

    def serve(self) -> signal.Signals | None:
        """Serve until a signal comes.

        Returns:
            The signal.

        Raises:
            Stopped: Requests were cut off, as their time was over.
        """
        thread = threading.Thread(target=self._run, name="server")
        SIGNALS.on_asked = lambda _: self._stop()
        SIGNALS.patience = math.inf
        thread.start()
        while thread.is_alive():
            # with a time-out, so that Python's handlers of signals have their turn
            thread.join(1)
        if self._error is not None:
            raise self._error
        if self._service.metrics.cut_off and SIGNALS.asked is not None:
            raise Stopped.asked_by(SIGNALS.asked)
        return SIGNALS.asked

    def _stop(self) -> None:
        self._asked.set()
        self._wake()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            # for the main thread
            self._error = error

    async def _serve(self) -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        limits = self._service.limits
        config = uvicorn.Config(
            self._service.app(),
            http="h11",
            ws="none",
            loop="asyncio",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level=logging_off(),
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=BACKLOG,
            limit_concurrency=limits.max_connections,
            timeout_graceful_shutdown=math.ceil(limits.timeout) + 1,
            h11_max_incomplete_event_size=HEADER_BYTES,
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[self._listening]))
        watching = asyncio.create_task(Watchdog(server, limits.header_seconds, limits.take_seconds).watch())
        while not (server.started or serving.done()):
            await asyncio.sleep(0.001)
        self._wake = lambda: loop.call_soon_threadsafe(stop.set)
        if self._asked.is_set():
            stop.set()
        if not serving.done():
            self._on_start()
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
        self._service.is_stopping = True
        await asyncio.sleep(LAST_SECONDS)
        server.should_exit = True
        # to the end of them, for a client that takes no answer is hung up on in this time too
        await serving
        watching.cancel()


def logging_off() -> str:
    """The level at which uvicorn says nothing: requests are counted, and faults of ours are told by Guard."""
    return "critical"
