"""Messages between two processes: a JSON object a line, over one TCP connection."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from typing import Any, final

SEND_SECONDS = 5.0
# a message is some dozens of bytes; who sends more is none of ours
LONGEST = 2**16


@final
class Line:
    """One end of a connection.

    Args:
        connection: Connected.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        connection.settimeout(SEND_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.heard = time.monotonic()
        # whether the other end has said that it leaves
        self.is_parted = False
        # who is at the other end, in words
        self.who = ""
        self._read = b""

    def send(self, **message: Any) -> None:
        """Send a message, to whoever still reads."""
        with contextlib.suppress(OSError):
            self.connection.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> list[dict[str, Any]] | None:
        """The messages that have come; None if the other end is gone."""
        try:
            came = self.connection.recv(LONGEST)
        except TimeoutError:
            return []
        except OSError:
            return None
        if not came:
            return None
        self.heard = time.monotonic()
        *whole, self._read = (self._read + came).split(b"\n")
        if len(self._read) > LONGEST:
            return None
        try:
            messages = [json.loads(line) for line in whole]
        except ValueError:
            return None
        return messages if all(isinstance(message, dict) for message in messages) else None

    def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(OSError):
            self.connection.close()
