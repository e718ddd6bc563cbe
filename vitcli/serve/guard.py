"""Guard: what holds for every request: its time, its end, the headers of its answer, and that it is counted."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Callable
from time import perf_counter
from typing import final

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vitcli.serve.limits import Limits
from vitcli.serve.metrics import Metrics
from vitcli.serve.page import HEADERS
from vitcli.serve.refusal import Refusal

PATHS = ("/", "/page.css", "/page.js", "/predict", "/healthz", "/metrics")
# nginx's code of a client that has left before it got its answer
LEFT = 499
FAILED = "the server has failed; why, it has written to its standard error"
# A client that is answered before it has sent everything goes on sending. Were the connection closed at once, the
# system would reset it, and the client would not read why; so some of it is read first.
LINGER_SECONDS = 2.0
LINGER_BYTES = 64 * 2**20


@final
class Guard:
    """An ASGI application around another one.

    Args:
        app: Answers requests.
        limits: For the time of a request.
        metrics: Where they are counted.
        is_stopping: Whether connections are to be closed after their answer.
    """

    def __init__(self, app: ASGIApp, limits: Limits, metrics: Metrics, is_stopping: Callable[[], bool]) -> None:
        self._app = app
        self._limits = limits
        self._metrics = metrics
        self._is_stopping = is_stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        assert scope["type"] == "http", "neither websockets nor lifespan events are switched on"
        request = _Request(scope, receive, send, self._is_stopping)
        started = perf_counter()
        self._metrics.in_progress += 1
        try:
            await self._answer(request)
        except asyncio.CancelledError:
            self._metrics.cut_off += 1
            raise
        finally:
            self._metrics.in_progress -= 1
            path = scope["path"] if scope["path"] in PATHS else "other"
            self._metrics.requests[path, request.code] += 1
            if path == "/predict":
                self._metrics.seconds.observe(perf_counter() - started)

    async def _answer(self, request: _Request) -> None:
        refusal: Refusal | None = None
        try:
            async with asyncio.timeout(self._limits.timeout):
                await self._app(request.scope, request.receive, request.send)
        except TimeoutError:
            seconds = f"{self._limits.timeout:g} seconds"
            if request.is_read:
                refusal = Refusal(503, f"not answered within {seconds}; send fewer images, or try again later", 1)
            else:
                refusal = Refusal(408, f"not sent within {seconds}")
        except Refusal as known:
            refusal = known
        except Exception:
            # a fault of ours: for whoever runs the server, and not for whoever asks it
            print(traceback.format_exc(), file=sys.stderr, flush=True)
            refusal = Refusal(500, FAILED)
        if refusal is not None and not request.is_answered:
            response = JSONResponse({"error": refusal.reason}, refusal.code, refusal.headers)
            await response(request.scope, request.receive, request.send)


@final
class _Request:
    """A request whose messages are watched on their way."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, is_stopping: Callable[[], bool]) -> None:
        self.scope = scope
        self.code = LEFT
        self.is_answered = False
        headers = {name for name, value in scope["headers"] if value != b"0"}
        self.is_read = not headers & {b"content-length", b"transfer-encoding"}
        self._receive, self._send, self._is_stopping = receive, send, is_stopping

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            self.is_read = True
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.is_answered = True
            self.code = message["status"]
            headers = [*message["headers"], *((name.encode(), value.encode()) for name, value in HEADERS.items())]
            if not self.is_read or self._is_stopping():
                headers.append((b"connection", b"close"))
            message = {**message, "headers": headers}
        elif not self.is_read and not message.get("more_body", False):
            # all of the answer is on its way; what follows is its end
            await self._send({**message, "more_body": True})
            await self._linger()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    async def _linger(self) -> None:
        left = LINGER_BYTES
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while left > 0 and not self.is_read:
                    message = await self.receive()
                    if message["type"] == "http.disconnect":
                        return
                    left -= len(message.get("body", b""))
        except TimeoutError:
            return
