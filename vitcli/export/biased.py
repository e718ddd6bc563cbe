"""Biased: products with weights that take their bias themselves, as onnxruntime's int8 operators can."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto


class Linear(NamedTuple):
    """A product by a weight and the bias added behind it: (pictures, tokens, inputs) -> (pictures, tokens, outputs)."""

    product: NodeProto
    add: NodeProto
    bias: str
    tokens: int
    inputs: int
    outputs: int


def with_bias_inside(model: ModelProto) -> ModelProto:
    """A graph that computes the same, with one Gemm for each MatMul by a weight and the Add of its bias.

    A Gemm takes matrices only, so that (pictures, tokens, inputs) becomes (pictures * tokens, inputs) in front of it
    and goes back behind it, which copies nothing. In int8, onnxruntime adds the bias within the product then; apart,
    it takes a pass over the output of its own (docs/lab/2026-11-29.md).

    Args:
        model: The graph, which is left as it is.
    """
    import onnx.shape_inference
    from onnx import numpy_helper

    made = onnx.shape_inference.infer_shapes(model)
    graph = made.graph
    found = _linears(graph)
    adds = {each.add.output[0] for each in found.values()}
    nodes: list[NodeProto] = []
    for node in graph.node:
        linear = found.get(node.output[0])
        if linear is not None:
            for name, shape in _shapes(linear).items():
                graph.initializer.append(numpy_helper.from_array(np.array(shape, np.int64), name))
            nodes += _as_gemm(linear)
        elif node.output[0] not in adds:
            copied = onnx.NodeProto()
            copied.CopyFrom(node)
            nodes.append(copied)
    del graph.node[:]
    graph.node.extend(nodes)
    return made


def _linears(graph: GraphProto) -> dict[str, Linear]:
    """By the name of their product, those whose number of tokens is known, and whose product nothing else uses."""
    weights = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    # 0 stands for any number
    shapes = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in graph.value_info}
    uses: dict[str, list[NodeProto]] = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            uses[name].append(node)
    found = {}
    for node in graph.node:
        product = node.output[0]
        behind, shape = uses[product], shapes.get(product, [])
        if node.op_type != "MatMul" or len(behind) != 1 or behind[0].op_type != "Add" or len(shape) != 3:
            continue
        weight = weights.get(node.input[1], [])
        bias = [name for name in behind[0].input if len(weights.get(name, [])) == 1]
        if len(weight) == 2 and bias and shape[1]:
            found[product] = Linear(node, behind[0], bias[0], shape[1], *weight)
    return found


def _shapes(linear: Linear) -> dict[str, list[int]]:
    """What becomes the second input of each Reshape."""
    name = linear.product.output[0]
    return {f"{name}.to_rows": [-1, linear.inputs], f"{name}.to_tokens": [-1, linear.tokens, linear.outputs]}


def _as_gemm(linear: Linear) -> list[NodeProto]:
    """The operators in place of both."""
    from onnx import helper

    to_rows, to_tokens = _shapes(linear)
    left, weight = linear.product.input
    rows, sums = f"{linear.product.output[0]}.rows", f"{linear.product.output[0]}.sums"
    return [
        helper.make_node("Reshape", [left, to_rows], [rows], name=rows),
        helper.make_node("Gemm", [rows, weight, linear.bias], [sums], name=sums),
        helper.make_node("Reshape", [sums, to_tokens], [linear.add.output[0]], name=to_tokens),
    ]
