"""A tiny exported net that is known by hand: the probabilities are the softmax of a picture's mean colour, times 8."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

CLASSES = ("red", "green", "blue")
SHARPNESS = 8.0
NOTE: dict[str, Any] = {
    "format": 1,
    "version": "0.1.0",
    "classes": list(CLASSES),
    "preprocess": {
        "size": [16, 16],
        "resize": "center_crop",
        "crop_fraction": 0.875,
        "interpolation": "bicubic",
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "white": None,
    },
    "temperature": 1.0,
    "threshold": None,
    "quantize": "none",
    "net": {},
    "probabilities": "softmax",
}


def colours(
    classes: tuple[str, ...] = CLASSES,
    *,
    batch: int | str = "batch",
    size: tuple[int, int] = (16, 16),
    note: dict[str, Any] | str | None = None,
    **changed: Any,
) -> onnx.ModelProto:
    """The net; class number n looks at colour n modulo 3.

    Args:
        classes: Names.
        batch: Pictures at once, or a name for any number of them.
        size: Height and width of the pictures.
        note: Metadata instead of its own; as text, as it is.
        **changed: What of its own metadata is another.
    """
    weights = np.zeros((3, len(classes)), dtype=np.float32)
    weights[np.arange(len(classes)) % 3, np.arange(len(classes))] = SHARPNESS / 255
    # of classes that look at the same colour, the first one is likelier
    bias = -np.arange(len(classes), dtype=np.float32) / 1000
    nodes = [
        helper.make_node("Cast", ["pixels"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["numbers", "sides"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["products"]),
        helper.make_node("Add", ["products", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    held = {"sides": np.array([1, 2], dtype=np.int64), "weights": weights, "bias": bias}
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, [batch, *size, 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [batch, len(classes)])],
        [onnx.numpy_helper.from_array(array, name) for name, array in held.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    own = {**NOTE, "classes": list(classes), "preprocess": {**NOTE["preprocess"], "size": list(size)}, **changed}
    told = own if note is None else note
    helper.set_model_props(model, {"vitcli": told if isinstance(told, str) else json.dumps(told)})
    return model


def written(path: Path, model: onnx.ModelProto) -> Path:
    """A model in a file."""
    path.write_bytes(model.SerializeToString())
    return path


def expected(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What the net of three classes answers to pictures of its size: (batch, 3)."""
    logits = pixels.astype(np.float64).mean(axis=(1, 2)) * SHARPNESS / 255 - np.arange(3) / 1000
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)
