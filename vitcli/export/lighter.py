"""Lighter: an ONNX graph with its products in int8 (static quantisation), or with its weights stored as float16."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vitcli.export.biased import with_bias_inside
from vitcli.export.whole import INPUT

if TYPE_CHECKING:
    from onnx import ModelProto

# pictures whose activations set the scales, evenly spaced over those given; and how many go through at once
CALIBRATED_ON = 128
BATCH = 16
# the operators that do nearly all of the work
PRODUCTS = ["MatMul", "Gemm"]


def to_int8(model: ModelProto, pixels: NDArray[np.uint8], batch: int | None) -> ModelProto:
    """A graph whose products with weights are computed in int8: static quantisation by onnxruntime's own tool.

    Weights are int8 with a scale for each output, activations uint8 with one scale, from the smallest to the largest
    value that calibration met, and biases int32. Products of two activations, which are those inside the attention,
    stay in float32, and so does what comes out of a product: rounded to bytes as well, it took longer and was further
    from the net (docs/lab/2026-11-29.md).

    Args:
        model: The graph, which is left as it is.
        pixels: To calibrate on: uint8 (pictures, height, width, 3).
        batch: Pictures that the graph takes at once; None: any number.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static  # type: ignore[import-untyped]
    from onnxruntime.quantization.shape_inference import quant_pre_process  # type: ignore[import-untyped]

    with TemporaryDirectory(prefix="vitcli-export-") as folder, _quiet():
        plain, prepared, made = (str(Path(folder, f"{name}.onnx")) for name in ("plain", "prepared", "made"))
        onnx.save(model, plain)
        quant_pre_process(plain, prepared, skip_symbolic_shape=True)
        folded = with_bias_inside(onnx.load(prepared))
        onnx.save(folded, prepared)
        quantize_static(
            prepared,
            made,
            _reader(pixels, batch),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=PRODUCTS,
            nodes_to_exclude=_without_weights(folded),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"OpTypesToExcludeOutputQuantization": PRODUCTS},
        )
        return onnx.load(made)


def _without_weights(model: ModelProto) -> list[str]:
    """Names of the products both of whose factors are activations."""
    weights = {each.name for each in model.graph.initializer}
    return [node.name for node in model.graph.node if node.op_type in PRODUCTS and not weights & set(node.input)]


def _reader(pixels: NDArray[np.uint8], batch: int | None) -> Any:
    """The calibration pictures as onnxruntime's tool asks for them, a batch at a time."""
    from onnxruntime.quantization import CalibrationDataReader

    size = batch or BATCH
    number = max(size, min(CALIBRATED_ON, len(pixels)) // size * size)
    chosen = pixels[np.linspace(0, len(pixels) - 1, number).astype(int)]

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """One batch after another, then None."""

        def __init__(self) -> None:
            self.left = iter([{INPUT: chosen[start : start + size]} for start in range(0, number, size)])

        def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
            """The next batch."""
            return next(self.left, None)

    return Reader()


def to_fp16(model: ModelProto) -> ModelProto:
    """A graph whose weights are stored as float16, half the bytes, and computed with in float32.

    A cast stands behind each of them, which onnxruntime does once when it opens the file. A CPU is as fast as with
    float32 then; arithmetic in float16 would be slower on most, as they have no instructions for it.

    Args:
        model: The graph, which is left as it is.
    """
    import onnx
    from onnx import helper, numpy_helper

    made = onnx.ModelProto()
    made.CopyFrom(model)
    casts = []
    for tensor in made.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) > 1:
            stored, name = numpy_helper.to_array(tensor).astype(np.float16), tensor.name
            tensor.CopyFrom(numpy_helper.from_array(stored, f"{name}.float16"))
            casts.append(
                helper.make_node("Cast", [tensor.name], [name], name=f"{name}.cast", to=onnx.TensorProto.FLOAT)
            )
    nodes = [*casts, *made.graph.node]
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    return made


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing told by onnxruntime's tools, which advise whoever calls them."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(before)
