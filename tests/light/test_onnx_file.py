"""A file that is no exported net of ours is refused in one line, before onnxruntime has seen it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.light.colours import colours, written
from vitcli.errors import WeightsError
from vitcli.light.onnx_file import OnnxFile


def external(path: Path) -> bytes:
    """The net, with its weights in another file."""
    model = colours()
    (weights,) = [tensor for tensor in model.graph.initializer if tensor.name == "weights"]
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="../../etc/passwd")
    return model.SerializeToString()


def external_inside(path: Path) -> bytes:
    """The net, with a constant deep in a branch, whose value lies in another file."""
    model = colours()
    tensor = onnx.numpy_helper.from_array(np.zeros(3, dtype=np.float32))
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    constant = helper.make_node("Constant", [], ["inner"], value=tensor)
    branch = helper.make_graph([constant], "branch", [], [helper.make_empty_tensor_value_info("inner")])
    model.graph.node.append(helper.make_node("If", ["sides"], ["outer"], then_branch=branch, else_branch=branch))
    return model.SerializeToString()


def twice(path: Path) -> bytes:
    model = colours()
    model.metadata_props.append(model.metadata_props[0])
    return model.SerializeToString()


def unknown(path: Path) -> bytes:
    model = colours()
    del model.metadata_props[:]
    return model.SerializeToString()


def bottomless(path: Path) -> bytes:
    """A graph in an attribute of a node of a graph, and so on, far beyond what any recursion bears."""
    inner = b""
    for _ in range(3000):
        for field in (6, 5, 1):
            length = onnx_varint(len(inner))
            inner = bytes([field << 3 | 2]) + length + inner
    return bytes([7 << 3 | 2]) + onnx_varint(len(inner)) + inner


def onnx_varint(number: int) -> bytes:
    parts = []
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


FILES: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "weights elsewhere": (external, "keeps its weights in other files"),
    "weights elsewhere, in a branch": (external_inside, "keeps its weights in other files"),
    "two notes": (twice, "does not say which classes"),
    "no note": (unknown, "does not say which classes"),
    "nothing": (lambda _: b"", "it has no graph"),
    "text": (lambda _: b"# no model\n" * 40, "is no ONNX file"),
    "a picture": (lambda _: b"\x89PNG\r\n\x1a\n" + bytes(500), "is no ONNX file"),
    "depth": (bottomless, "graphs inside of one another"),
}


def refused(path: Path) -> str:
    with pytest.raises(WeightsError) as error:
        OnnxFile.read(str(path))
    assert str(error.value).startswith(f"--model {path}: ")
    assert "; " in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", FILES)
def test_another_file_is_refused(name: str, tmp_path: Path) -> None:
    content, why = FILES[name]
    (tmp_path / "a.onnx").write_bytes(content(tmp_path))
    assert why in refused(tmp_path / "a.onnx")


def test_what_is_no_file_is_refused_and_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "folder.onnx").mkdir()
    os.mkfifo(tmp_path / "pipe.onnx")
    assert "is a folder" in refused(tmp_path / "folder.onnx")
    assert "no regular file" in refused(tmp_path / "pipe.onnx")
    assert "no such file" in refused(tmp_path / "none.onnx")


def test_more_than_an_onnx_file_can_hold_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.onnx").open("wb") as file:
        file.truncate(3 << 30)
    assert "has 3.2 GB, and an ONNX file at most 2" in refused(tmp_path / "a.onnx")


def test_a_file_that_is_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    content = colours().SerializeToString()
    note = OnnxFile.read(str(written(tmp_path / "whole.onnx", colours()))).note
    for length in range(len(content)):
        (tmp_path / "cut.onnx").write_bytes(content[:length])
        try:
            assert OnnxFile.read(str(tmp_path / "cut.onnx")).note == note
        except WeightsError:
            continue
        # a cut behind the note, between two fields of the file, leaves a whole file of less
        onnx.ModelProto.FromString(content[:length])


def test_a_file_of_ours_is_read_with_its_note(tmp_path: Path) -> None:
    model = colours(note="anything")
    file = OnnxFile.read(str(written(tmp_path / "a.onnx", model)))
    assert file.note == b"anything"
    assert file.content == model.SerializeToString()
