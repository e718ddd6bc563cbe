"""Protocol buffers on the wire: the fields of one message, without a schema and without copying what is not asked for.

The encoding is https://protobuf.dev/programming-guides/encoding: each field is a number, a kind, and a number or so
many bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
# bytes of the longest number
MOST = 10


class Field(NamedTuple):
    """One field of a message.

    Args:
        number: By which its schema knows it.
        value: Of a whole number; 0 for one that is stored in 4 or 8 bytes, such as a float.
        content: Of text, bytes or a message inside; None for a number.
    """

    number: int
    value: int
    content: memoryview | None = None


def fields(message: memoryview) -> Iterator[Field]:
    """The fields of a message, in the order in which they are stored.

    Args:
        message: Its bytes.

    Raises:
        ValueError: It is none, or cut off.
    """
    at = 0
    while at < len(message):
        key, at = _number(message, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = _number(message, at)
            yield Field(number, value)
        elif kind == BYTES:
            length, at = _number(message, at)
            if length > len(message) - at:
                raise ValueError("cut off")
            yield Field(number, 0, message[at : at + length])
            at += length
        elif kind in (FIXED64, FIXED32):
            at += 8 if kind == FIXED64 else 4
            if at > len(message):
                raise ValueError("cut off")
            yield Field(number, 0)
        else:
            raise ValueError("no message")


def _number(message: memoryview, at: int) -> tuple[int, int]:
    """A number of any length, and where the next thing begins."""
    value = 0
    for place in range(MOST):
        if at + place >= len(message):
            raise ValueError("cut off")
        byte = message[at + place]
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError("no message")
