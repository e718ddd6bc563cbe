"""An ONNX file as data, looked at before onnxruntime sees it: whole, in one file, and what vitcli has noted in it.

Field numbers are those of onnx.proto. The package onnx is not needed for this.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self, final

from vitcli.errors import WeightsError
from vitcli.light.messages import fields

# a protocol buffer is no larger
MOST_BYTES = 2**31 - 1
# graphs inside of graphs, as an If or a Loop has them
DEEPEST = 16
KEY = b"vitcli"
REMEDY = "name a file that vitcli export has written"

# of ModelProto
GRAPH, METADATA = 7, 14
# of StringStringEntryProto
ENTRY_KEY, ENTRY_VALUE = 1, 2
# of TensorProto: where its numbers lie in another file, and whether they do
EXTERNAL_DATA, DATA_LOCATION = 13, 14


class Kind(NamedTuple):
    """A message in which tensors may lie, at any depth.

    Args:
        tensors: Its fields that are tensors.
        inside: Its fields that are such messages again, by the name of their kind.
    """

    tensors: tuple[int, ...] = ()
    inside: tuple[tuple[int, str], ...] = ()


KINDS = {
    # graph, functions
    "model": Kind((), ((7, "graph"), (25, "function"))),
    # initializer; node, sparse_initializer
    "graph": Kind((5,), ((1, "node"), (15, "sparse"))),
    # node, attribute_proto
    "function": Kind((), ((7, "node"), (11, "attribute"))),
    "node": Kind((), ((5, "attribute"),)),
    # t, tensors; g, graphs, sparse_tensor, sparse_tensors
    "attribute": Kind((5, 10), ((6, "graph"), (11, "graph"), (22, "sparse"), (23, "sparse"))),
    # values, indices
    "sparse": Kind((1, 2)),
}


@final
@dataclass(frozen=True)
class OnnxFile:
    """A file that may be handed to onnxruntime.

    Args:
        path: As it was named.
        content: Its bytes.
        note: What vitcli has noted in it: JSON, not looked at yet.
    """

    path: str
    content: bytes
    note: bytes

    @classmethod
    def read(cls, path: str) -> Self:
        """Read a file, and look through it.

        Args:
            path: The file.

        Raises:
            WeightsError: There is no such file, it is none of ONNX, cut off or too large, has numbers in other files,
                or no note of vitcli's.
        """
        content = _content(path)
        try:
            model = memoryview(content)
            if any(_is_elsewhere(tensor) for tensor in _tensors(model, "model")):
                raise WeightsError(
                    f"--model {path}: keeps its weights in other files (external data), which are not opened; save it "
                    "as one file, as vitcli export does"
                )
            top = list(fields(model))
            if not any(field.number == GRAPH and field.content is not None for field in top):
                raise ValueError("it has no graph")
            entries = [_entry(field.content) for field in top if field.number == METADATA and field.content is not None]
        except (ValueError, RecursionError) as error:
            raise WeightsError(f"--model {path}: is no ONNX file, or a damaged one ({error}); {REMEDY}") from error
        notes = [value for key, value in entries if key == KEY]
        if len(notes) != 1:
            raise WeightsError(
                f"--model {path}: does not say which classes and preprocessing it has; write it with vitcli export "
                "--out model.onnx"
            )
        return cls(path, content, notes[0])

    @property
    def digest(self) -> str:
        """SHA-256 of the file."""
        return hashlib.sha256(self.content).hexdigest()


def _content(path: str) -> bytes:
    try:
        with open(path, "rb", opener=_at_once) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                what = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
                raise WeightsError(f"--model {path}: is {what}; {REMEDY}")
            if status.st_size > MOST_BYTES:
                size = f"{status.st_size / 1e9:.1f} GB"
                raise WeightsError(f"--model {path}: has {size}, and an ONNX file at most 2; {REMEDY}")
            return file.read(MOST_BYTES)
    except IsADirectoryError as error:
        raise WeightsError(f"--model {path}: is a folder; {REMEDY}") from error
    except FileNotFoundError as error:
        raise WeightsError(f"--model {path}: no such file; check the path (now in {Path.cwd()})") from error
    except OSError as error:
        raise WeightsError(f"--model {path}: cannot be read ({error.strerror}); check its permissions") from error


def _at_once(path: str, flags: int) -> int:
    """Open without waiting for who may write into a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def _tensors(message: memoryview, kind: str, depth: int = 0) -> Iterator[memoryview]:
    """Every tensor of a message, at any depth.

    Raises:
        ValueError: It is none of ONNX, or deeper than any net.
    """
    if depth > 4 * DEEPEST:
        raise ValueError(f"more than {DEEPEST} graphs inside of one another")
    inside = dict(KINDS[kind].inside)
    for number, _, content in fields(message):
        if content is None:
            continue
        if number in KINDS[kind].tensors:
            yield content
        elif number in inside:
            yield from _tensors(content, inside[number], depth + 1)


def _is_elsewhere(tensor: memoryview) -> bool:
    return any(
        field.number == EXTERNAL_DATA or (field.number == DATA_LOCATION and field.value) for field in fields(tensor)
    )


def _entry(message: memoryview) -> tuple[bytes, bytes]:
    """Key and value of an entry of the metadata."""
    held = {field.number: bytes(field.content) for field in fields(message) if field.content is not None}
    return held.get(ENTRY_KEY, b""), held.get(ENTRY_VALUE, b"")
