"""An exported net in onnxruntime: its numbers, and what is refused in one line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from tests.light.colours import colours, expected, written
from vitcli.errors import ConfigError, WeightsError
from vitcli.light.model import OnnxModel

Pixels = NDArray[np.uint8]


def test_probabilities_are_those_known_by_hand(model: Path, pixels: Pixels) -> None:
    opened = OnnxModel(model)
    assert np.allclose(opened.probabilities(pixels), expected(pixels), atol=1e-6)
    assert opened.probabilities(pixels[:0]).shape == (0, 3)


def test_flipping_answers_with_the_mean_of_both_views(tmp_path: Path, pixels: Pixels) -> None:
    # a net that sees the left column alone
    one_sided = colours()
    one_sided.graph.initializer.append(onnx.numpy_helper.from_array(np.array([0]), "zero"))
    one_sided.graph.node.insert(1, helper.make_node("Gather", ["numbers", "zero"], ["left"], axis=2))
    one_sided.graph.node[2].input[0] = "left"
    opened = OnnxModel(written(tmp_path / "a.onnx", one_sided))
    views = [expected(pixels[:, :, :1]), expected(pixels[:, :, -1:])]
    assert np.allclose(opened.probabilities(pixels, "flip"), np.mean(views, axis=0), atol=1e-6)
    assert not np.allclose(views[0], views[1], atol=1e-3)


def test_a_graph_for_four_pictures_at_once_takes_any_number_of_them(tmp_path: Path, pixels: Pixels) -> None:
    opened = OnnxModel(written(tmp_path / "a.onnx", colours(batch=4)))
    assert opened.fixed == 4
    assert np.allclose(opened.probabilities(pixels), expected(pixels), atol=1e-6)


def test_threads_that_call_it_at_once_get_their_own_answers(model: Path, pixels: Pixels) -> None:
    opened = OnnxModel(model, threads=1)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: opened.probabilities(pixels[number % 11 :]), range(200)))
    assert all(np.allclose(answer, expected(pixels)[number % 11 :], atol=1e-6) for number, answer in enumerate(answers))


def renamed(model: onnx.ModelProto) -> None:
    model.graph.input[0].name = model.graph.node[0].input[0] = "image"


def of_floats(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT


def another_size(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 32


def more_answers(model: onnx.ModelProto) -> None:
    model.graph.output.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3]))


def four_classes(model: onnx.ModelProto) -> None:
    model.metadata_props[0].value = model.metadata_props[0].value.replace('"blue"', '"blue", "grey"')


def a_strangers_operator(model: onnx.ModelProto) -> None:
    model.graph.node[4].domain = "stranger.ops"
    model.opset_import.append(helper.make_opsetid("stranger.ops", 1))


def no_such_input(model: onnx.ModelProto) -> None:
    model.graph.node[2].input[1] = "nowhere"


CHANGES: dict[Callable[[onnx.ModelProto], None], str] = {
    renamed: "takes image uint8",
    of_floats: "takes pixels float",
    another_size: r"\(batch, 32, 16, 3\)",
    more_answers: "logits",
    four_classes: r"float32 \(batch, 4\)",
    a_strangers_operator: "cannot open it",
    no_such_input: "cannot open it",
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_another_net_is_refused_in_a_line(
    change: Callable[[onnx.ModelProto], None], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    other = colours()
    change(other)
    path = written(tmp_path / "a.onnx", other)
    with pytest.raises(WeightsError, match=CHANGES[change]) as error:
        OnnxModel(path)
    assert str(error.value).startswith(f"--model {path}: ")
    # and onnxruntime says nothing beside it
    assert capfd.readouterr() == ("", "")


def test_names_that_are_no_text_are_refused_in_a_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    content = colours().SerializeToString()
    assert content.count(b"batch") == 2
    for place, name in enumerate((b"batch", b"softmax", b"pixels")):
        path = tmp_path / f"{place}.onnx"
        path.write_bytes(content.replace(name, b"\xff" * len(name)))
        with pytest.raises(WeightsError, match=rf"^--model {path}: .*; "):
            OnnxModel(path)
    assert capfd.readouterr() == ("", "")


def test_a_number_of_classes_that_shows_only_when_it_runs_is_refused(tmp_path: Path, pixels: Pixels) -> None:
    other = colours()
    four_classes(other)
    other.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "classes"
    # whose number cannot be inferred
    other.graph.node.append(helper.make_node("NonZero", ["probabilities"], ["places"]))
    other.graph.node.append(helper.make_node("Cast", ["places"], ["given"], to=TensorProto.FLOAT))
    other.graph.output[0].name = "probabilities"
    other.graph.node[4].output[0] = other.graph.node[5].input[0] = "shares"
    other.graph.node[6].output[0] = "probabilities"
    opened = OnnxModel(written(tmp_path / "a.onnx", other))
    with pytest.raises(WeightsError, match=r"answers with float32 \(2, 33\) instead of float32 \(11, 4\); export it"):
        opened.probabilities(pixels)


def test_memory_that_a_net_cannot_get_is_an_error_of_memory(tmp_path: Path, pixels: Pixels) -> None:
    greedy = colours()
    nodes = greedy.graph.node
    nodes[-1].output[0] = "before"
    greedy.graph.initializer.append(onnx.numpy_helper.from_array(np.array([2**10]), "times"))
    # known only when it runs, so that nothing is computed when the file is opened
    nodes.append(helper.make_node("Shape", ["pixels"], ["shape"]))
    nodes.append(helper.make_node("Mul", ["shape", "times"], ["terabytes"]))
    nodes.append(helper.make_node("ConstantOfShape", ["terabytes"], ["zeros"]))
    nodes.append(helper.make_node("ReduceMax", ["zeros"], ["zero"], keepdims=0))
    nodes.append(helper.make_node("Add", ["before", "zero"], ["probabilities"]))
    with pytest.raises(MemoryError, match="ConstantOfShape"):
        OnnxModel(written(tmp_path / "a.onnx", greedy)).probabilities(pixels)


def test_without_onnxruntime_it_is_said_what_to_install(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match=r'needs onnxruntime, .*; pip install "vitcli\[onnx\]"'):
        OnnxModel(model)
