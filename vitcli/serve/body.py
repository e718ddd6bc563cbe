"""Body of a request to /predict: one image as it is, or several as multipart/form-data; read within its limits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple, final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from vitcli.serve.budget import Budget
from vitcli.serve.limits import Limits
from vitcli.serve.refusal import Refusal

MULTIPART = "multipart/form-data"
# of a body that is an image: what curl --data-binary says, and what says nothing
PLAIN = ("", "application/octet-stream", "application/x-www-form-urlencoded")
# bytes of the header of a part, and letters of a name
LONGEST_HEADER = 8192
LONGEST_NAME = 1024


class Upload(NamedTuple):
    """A file that was sent.

    Args:
        name: As the client calls it; it is sent back, and opens nothing.
        content: Its bytes.
    """

    name: str
    content: bytes


@asynccontextmanager
async def uploads(request: Request, limits: Limits, held: Budget) -> AsyncIterator[list[Upload]]:
    """The files of a request; their bytes are taken from the budget for as long as this is open.

    Args:
        request: To /predict.
        limits: Of a body.
        held: Bytes of all bodies in memory.

    Raises:
        Refusal: Too large, of another type, cut off, without a file, or there is no memory for it now.
        starlette.requests.ClientDisconnect: The client has left before its end.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    kind_name = kind.decode("latin-1")
    if not (kind_name == MULTIPART or kind_name in PLAIN or kind_name.startswith("image/")):
        raise Refusal(415, f"content-type {kind_name[:100]}: is no image; send image/*, or images as {MULTIPART}")
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > limits.max_bytes:
        raise _too_large(limits)
    whole = _Parts(options.get(b"boundary", b""), limits) if kind_name == MULTIPART else _Whole(request)
    taken = 0
    try:
        async for chunk in request.stream():
            if taken + len(chunk) > limits.max_bytes:
                raise _too_large(limits)
            if not held.try_take(len(chunk)):
                raise Refusal(429, "too many bytes are being uploaded; try again later", 1)
            taken += len(chunk)
            whole.feed(chunk)
        found = whole.end()
        if not found:
            raise Refusal(400, f"no image; send one as the body, or several as {MULTIPART}")
        yield found
    finally:
        held.give(taken)


def _too_large(limits: Limits) -> Refusal:
    return Refusal(413, f"more than {limits.max_bytes:,} bytes; send fewer or smaller images a request")


@final
class _Whole:
    """A body that is one image."""

    def __init__(self, request: Request) -> None:
        self._name = request.query_params.get("name", "")
        self._chunks: list[bytes] = []

    def feed(self, chunk: bytes) -> None:
        self._chunks.append(chunk)

    def end(self) -> list[Upload]:
        content = b"".join(self._chunks)
        return [Upload(self._name[:LONGEST_NAME], content)] if content else []


@final
class _Parts:
    """A body of several parts (RFC 7578), each of them an image, whatever its field is called."""

    def __init__(self, boundary: bytes, limits: Limits) -> None:
        if not boundary:
            raise Refusal(400, f"{MULTIPART}: its content-type names no boundary")
        self._limits = limits
        self._found: list[Upload] = []
        self._name = b""
        self._is_whole = False
        self._header = 0
        self._field, self._value = b"", b""
        self._chunks: list[bytes] = []
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._on_field,
                    "on_header_value": self._on_value,
                    "on_header_end": self._on_header,
                    "on_part_data": self._on_data,
                    "on_part_end": self._on_part,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise _malformed(error) from error

    def feed(self, chunk: bytes) -> None:
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _malformed(error) from error

    def end(self) -> list[Upload]:
        if not self._is_whole:
            raise Refusal(400, f"{MULTIPART}: is cut off; its last boundary is missing")
        return self._found

    def _begin(self) -> None:
        if len(self._found) == self._limits.max_images:
            raise Refusal(413, f"more than {self._limits.max_images} images; send fewer a request")
        self._name, self._header, self._chunks = b"", 0, []

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._field += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._value += data[start:end]

    def _on_header(self) -> None:
        if self._field.lower() == b"content-disposition":
            _, options = parse_options_header(self._value)
            self._name = options.get(b"filename", options.get(b"name", b""))
        self._field, self._value = b"", b""

    def _count(self, letters: int) -> None:
        self._header += letters
        if self._header > LONGEST_HEADER:
            raise Refusal(400, f"{MULTIPART}: the header of a part has more than {LONGEST_HEADER:,} bytes")

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        self._chunks.append(data[start:end])

    def _on_part(self) -> None:
        name = self._name.decode("utf-8", "replace")[:LONGEST_NAME]
        self._found.append(Upload(name, b"".join(self._chunks)))
        self._chunks = []

    def _on_end(self) -> None:
        self._is_whole = True


def _malformed(error: FormParserError) -> Refusal:
    reason = " ".join(str(error).split())[:200]
    return Refusal(400, f"{MULTIPART}: is malformed ({reason})")
