"""Watchdog over connections: hangs up on clients that send no whole header, or do not take their answer."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import final

from uvicorn import Server
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

EVERY_SECONDS = 0.5
TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


@final
class Watchdog:
    """Looks at all connections of a server again and again, until it is cancelled.

    uvicorn has a time-out between two requests only. A client that sends a letter of a header now and then, or that
    never reads what it is sent, would keep its connection, and what is written to it, for ever.

    Args:
        server: uvicorn's.
        header_seconds: For the header of a request.
        take_seconds: For an answer to be taken, from when the system's buffers are full.
    """

    def __init__(self, server: Server, header_seconds: float, take_seconds: float) -> None:
        self._server = server
        self._header_seconds = header_seconds
        self._take_seconds = take_seconds
        # behind which request and since when a connection asks nothing, and since when it takes nothing
        self._idle: dict[H11Protocol, tuple[RequestResponseCycle | None, float]] = {}
        self._stuck: dict[H11Protocol, float] = {}

    async def watch(self) -> None:
        """Look, for ever."""
        while True:
            self._look(monotonic())
            await asyncio.sleep(min(EVERY_SECONDS, self._header_seconds / 4))

    def _look(self, now: float) -> None:
        known = [one for one in self._server.server_state.connections if isinstance(one, H11Protocol)]
        closing = {one for one in known if one.transport.is_closing()}
        idle = {one for one in known if one.cycle is None or one.cycle.response_complete} - closing
        stuck = closing | {one for one in known if one.flow.write_paused}
        # one that has asked again in between, and been answered, begins anew
        before = {one: found for one, found in self._idle.items() if found[0] is one.cycle}
        self._idle = {one: before.get(one, (one.cycle, now)) for one in idle}
        self._stuck = {one: self._stuck.get(one, now) for one in stuck}
        for one, since in self._stuck.items():
            if now - since > self._take_seconds:
                one.transport.abort()
        for one, (_, since) in self._idle.items():
            if now - since > self._header_seconds:
                if one.cycle is None:
                    one.transport.write(TOO_SLOW)
                one.transport.close()
