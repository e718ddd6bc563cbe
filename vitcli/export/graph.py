"""ONNX: the traced net as a graph for onnxruntime, by torch's dynamo exporter at opset 20."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.export import ExportedProgram

from vitcli import __version__
from vitcli.errors import ExportError
from vitcli.export.subject import KEY
from vitcli.export.whole import INPUT, OUTPUT

if TYPE_CHECKING:
    from onnx import ModelProto

# the first that has Gelu and LayerNormalization as one operator each
OPSET = 20
# of a file of protocol buffers
MOST_BYTES = 2**31 - 2**20
# the name of the number of pictures, where it is any
BATCH = "batch"


def to_graph(program: ExportedProgram) -> ModelProto:
    """The ONNX graph of a traced net: input ``pixels``, output ``probabilities``.

    Args:
        program: As ``vitcli.export.whole.traced`` makes it.

    Raises:
        ExportError: More numbers than one ONNX file holds.
    """
    size = sum(tensor.numel() * tensor.element_size() for tensor in program.state_dict.values())
    if size > MOST_BYTES:
        raise ExportError(
            f"--out: the net has {size / 1e9:.1f} GB of numbers, and an .onnx file holds 2 GB; export it as .pt2"
        )
    before = logging.getLogger("torch.onnx").level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        try:
            made = torch.onnx.export(
                program,
                dynamo=True,
                input_names=[INPUT],
                output_names=[OUTPUT],
                opset_version=OPSET,
                custom_translation_table={torch.ops.aten.scaled_dot_product_attention.default: _attention},
                verbose=False,
            )
        finally:
            logging.getLogger("torch.onnx").setLevel(before)
    assert made is not None
    model: ModelProto = made.model_proto
    _tidy(model)
    return model


def _attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
) -> Any:
    """Torch's attention, called with the names of its schema, in five operators, of which onnxruntime makes three.

    The exporter's own translation takes seventeen, as it asks for the shape of the keys while the graph runs.

    Raises:
        NotImplementedError: With a mask, which no net here has.
    """
    from onnxscript import opset20

    if attn_mask is not None or is_causal:
        raise NotImplementedError("attention with a mask")
    factor = query.shape[-1] ** -0.5 if scale is None else scale
    scaled = opset20.Mul(query, opset20.Constant(value_float=factor))
    weights = opset20.Softmax(opset20.MatMul(scaled, opset20.Transpose(key, perm=[0, 1, 3, 2])), axis=-1)
    return opset20.MatMul(weights, value)


def _tidy(model: ModelProto) -> None:
    """Take out what the exporter notes for its own sake: stack traces with the paths of this machine, and names."""
    graph = model.graph
    for held in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del held.metadata_props[:]
        held.doc_string = ""
    for value in (*graph.input, *graph.output):
        first = value.type.tensor_type.shape.dim[0]
        if first.HasField("dim_param"):
            first.dim_param = BATCH
    # shapes in between name the batch as the exporter does, and onnxruntime infers them itself
    del graph.value_info[:]
    graph.name = KEY
    model.producer_name, model.producer_version = KEY, __version__


def write_graph(model: ModelProto, path: Path, metadata: Mapping[str, Any]) -> None:
    """Write an ONNX file with vitcli's metadata as JSON under the key ``vitcli``.

    Args:
        model: The graph.
        path: The file.
        metadata: As ``Subject.metadata`` makes it.
    """
    del model.metadata_props[:]
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, json.dumps(metadata)
    path.write_bytes(model.SerializeToString(deterministic=True))
