"""A client of the server that tests have started: requests over real sockets, and files for them."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any, NamedTuple

BOUNDARY = "8f4c1b6e"


class Answer(NamedTuple):
    """What a server has answered."""

    code: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


class Client:
    """Asks one server.

    Args:
        port: Its port, on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(
        self, path: str = "/predict", body: Any = None, method: str | None = None, seconds: float = 60, **headers: str
    ) -> Answer:
        """A request on a connection of its own; an iterable body is sent in chunks, without a length."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method or ("GET" if body is None else "POST"), path, body, named)
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def files(self, *files: tuple[str, bytes], path: str = "/predict") -> Answer:
        """Several files at once, each with its name."""
        return self.ask(path, form(*files), content_type=f"multipart/form-data; boundary={BOUNDARY}")

    def raw(self) -> socket.socket:
        """A connection, for what no library would send."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def metric(self, name: str) -> float:
        """A number of /metrics."""
        lines = self.ask("/metrics").content.decode().splitlines()
        (value,) = (line.rpartition(" ")[2] for line in lines if line.rpartition(" ")[0] == name)
        return float(value)


def form(*files: tuple[str, bytes]) -> bytes:
    """multipart/form-data."""
    parts = [
        f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="images"; filename="{name}"\r\n\r\n'.encode()
        + content
        + b"\r\n"
        for name, content in files
    ]
    return b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])


def until_closed(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    found = bytearray()
    while chunk := connection.recv(65536):
        found += chunk
    return bytes(found)
