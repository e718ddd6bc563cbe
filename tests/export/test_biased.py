"""A graph whose products take their bias themselves computes the same, and onnxruntime's int8 tool finds them all."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from tests.export.test_every_net import FULL, LINEAR, subject_of
from vitcli.export.biased import with_bias_inside
from vitcli.export.graph import to_graph
from vitcli.export.lighter import to_int8
from vitcli.export.whole import traced

TOKENS, INPUTS, OUTPUTS = 3, 4, 5


def graph_of(*nodes: onnx.NodeProto) -> onnx.ModelProto:
    """``x`` (any number, tokens, inputs) through the operators to ``y``, with a weight, a bias and a matrix to add."""
    draw = np.random.default_rng(0)
    tensors = {"weight": (INPUTS, OUTPUTS), "bias": (OUTPUTS,), "matrix": (TOKENS, OUTPUTS)}
    kind = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", kind, ["batch", TOKENS, INPUTS])],
        [helper.make_tensor_value_info("y", kind, ["batch", TOKENS, OUTPUTS])],
        [numpy_helper.from_array(draw.normal(size=size).astype(np.float32), name) for name, size in tensors.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def answers(model: onnx.ModelProto, name: str, given: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {name: given})[0]


def kinds(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize("sides", [("product", "bias"), ("bias", "product")])
def test_a_product_and_its_bias_become_one_operator(sides: tuple[str, str]) -> None:
    product = helper.make_node("MatMul", ["x", "weight"], ["product"])
    model = graph_of(product, helper.make_node("Add", sides, ["sum"]), helper.make_node("Relu", ["sum"], ["y"]))
    made = with_bias_inside(model)
    assert kinds(made) == ["Reshape", "Gemm", "Reshape", "Relu"]
    given = np.random.default_rng(1).normal(size=(2, TOKENS, INPUTS)).astype(np.float32)
    np.testing.assert_allclose(answers(made, "x", given), answers(model, "x", given), atol=1e-6)


@pytest.mark.parametrize(
    "nodes",
    [
        [("Add", ["product", "matrix"], "y")],
        [("Relu", ["product"], "bent"), ("Add", ["bent", "bias"], "y")],
        [("Add", ["product", "bias"], "sum"), ("Add", ["sum", "product"], "y")],
    ],
    ids=["no bias", "something between", "the product is used twice"],
)
def test_what_is_not_a_product_and_its_bias_stays(nodes: list[tuple[str, list[str], str]]) -> None:
    product = helper.make_node("MatMul", ["x", "weight"], ["product"])
    model = graph_of(product, *(helper.make_node(kind, names, [made]) for kind, names, made in nodes))
    assert kinds(with_bias_inside(model)) == kinds(model)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*Linformer with k")
@pytest.mark.parametrize("backend", [FULL, partial(LINEAR, sharing="kv")], ids=["vanilla", "linformer"])
def test_every_bias_of_a_net_is_inside_its_int8_product(backend: partial, tmp_path: Path) -> None:
    subject = subject_of({"pool": "mean"}, backend)
    model = to_graph(traced(subject, None))
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 16, 3), dtype=np.uint8)
    np.testing.assert_allclose(
        answers(with_bias_inside(model), "pixels", pixels), answers(model, "pixels", pixels), atol=1e-6
    )
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "opened.onnx")
    onnxruntime.InferenceSession(to_int8(model, pixels, None).SerializeToString(), options)
    opened = Counter(kinds(onnx.load(tmp_path / "opened.onnx")))
    # patches, four in each of two blocks, and the head
    assert opened["QGemm"] == 1 + 2 * 4 + 1
    assert opened["Gelu"] == 2
    assert opened["BiasGelu"] == 0
