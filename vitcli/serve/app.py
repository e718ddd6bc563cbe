"""The application: its addresses and what each answers; decoding, batching and limits are put together here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from vitcli import __version__
from vitcli.errors import out_of_memory
from vitcli.serve.answer import answered, unreadable
from vitcli.serve.batching import Batcher
from vitcli.serve.body import Upload, uploads
from vitcli.serve.budget import Budget
from vitcli.serve.decoding import Decoder
from vitcli.serve.engine import Engine
from vitcli.serve.guard import FAILED, LEFT, Guard
from vitcli.serve.limits import Limits
from vitcli.serve.metrics import CONTENT_TYPE, Metrics
from vitcli.serve.page import page, part
from vitcli.serve.refusal import Refusal

TRUE = ("true", "1")
FALSE = ("false", "0")


@final
class Service:
    """A net that answers over HTTP.

    Args:
        engine: The net.
        limits: What a client may take.
        batch_size: Images that go through the net at once.
    """

    def __init__(self, engine: Engine, limits: Limits, batch_size: int) -> None:
        self.engine = engine
        self.limits = limits
        self.metrics = Metrics()
        self.is_stopping = False
        self._batcher = Batcher(engine, batch_size, limits.max_queue, self.metrics)
        self._decoder = Decoder(engine.preprocess, limits.max_pixels)
        self._held = Budget(limits.held_bytes)

    def app(self) -> ASGIApp:
        """What a server of ASGI's calls."""
        html, css, script = page(self.engine, self.limits), part("page.css"), part("page.js")
        routes = [
            Route("/", _always(HTMLResponse, html)),
            Route("/page.css", _always(Response, css, "text/css")),
            Route("/page.js", _always(Response, script, "text/javascript")),
            Route("/healthz", self._health),
            Route("/metrics", self._metrics),
            Route("/predict", self._predict, methods=["POST"]),
        ]
        handlers = {HTTPException: _refused, Refusal: _refused, ClientDisconnect: _left, Exception: _failed}
        app = Starlette(routes=routes, exception_handlers=handlers)
        return Guard(app, self.limits, self.metrics, lambda: self.is_stopping)

    def close(self) -> None:
        """End the threads."""
        self._decoder.close()
        self._batcher.close()

    async def _health(self, request: Request) -> Response:
        told: dict[str, Any] = {"status": "ok", "version": __version__, "classes": len(self.engine.classes)}
        if self.is_stopping or not self._batcher.is_alive:
            return JSONResponse(told | {"status": "stopping" if self.is_stopping else "failed"}, 503)
        return JSONResponse(told)

    async def _metrics(self, request: Request) -> Response:
        return Response(self.metrics.text(), media_type=CONTENT_TYPE)

    async def _predict(self, request: Request) -> Response:
        wants_map = _is_true(request, "map")
        # before a byte of it is read
        self._batcher.admit(0)
        async with uploads(request, self.limits, self._held) as files:
            self._batcher.admit(len(files))
            try:
                rows = await _unless_left(request, self._rows(files, wants_map))
            finally:
                self._batcher.leave(len(files))
        for row in rows:
            self.metrics.images[row["status"]] += 1
        is_any = any(row["status"] == "ok" for row in rows)
        return JSONResponse({"images": rows}, 200 if is_any else 422)

    async def _rows(self, files: list[Upload], wants_map: bool) -> list[dict[str, Any]]:
        return list(await asyncio.gather(*(self._row(file, wants_map) for file in files)))

    async def _row(self, file: Upload, wants_map: bool) -> dict[str, Any]:
        decoded = await self._decoder.decode(file.content)
        if decoded.pixels is None:
            return unreadable(file.name, decoded.reason)
        try:
            said = await self._batcher.ask(decoded.pixels, wants_map)
        except Exception as error:
            if (told := out_of_memory(error)) is not None:
                raise Refusal(503, told, 1) from error
            raise
        return answered(file.name, decoded, said, self.engine)


def _always(kind: type[Response], content: str, media_type: str | None = None) -> Callable[[Request], Response]:
    return lambda request: kind(content, media_type=media_type)


async def _unless_left(request: Request, work: Awaitable[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """What the work gives; it is cancelled when the client leaves, of which the next message tells.

    Raises:
        ClientDisconnect: The client has left.
    """
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


def _is_true(request: Request, name: str) -> bool:
    typed = request.query_params.get(name, "false").lower()
    if typed not in (*TRUE, *FALSE):
        raise Refusal(400, f"{name}={typed[:100]}: is neither true nor false")
    return typed in TRUE


def _left(request: Request, error: Exception) -> Response:
    # which nobody reads; it is counted
    return Response(status_code=LEFT)


def _failed(request: Request, error: Exception) -> Response:
    # Starlette raises the error again, for Guard to tell
    return JSONResponse({"error": FAILED}, 500)


def _refused(request: Request, error: Exception) -> Response:
    if isinstance(error, Refusal):
        return JSONResponse({"error": error.reason}, error.code, error.headers)
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return JSONResponse({"error": "nothing is here; there are POST /predict, /, /healthz and /metrics"}, 404)
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        return JSONResponse(
            {"error": f"{request.method} is not for {request.url.path}; {allowed} is"}, 405, error.headers
        )
    return PlainTextResponse(error.detail, error.status_code, error.headers)
