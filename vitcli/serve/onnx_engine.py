"""OnnxEngine: an exported net behind the server, by onnxruntime; the process never imports torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np

from vitcli.images.decode.pixels import Rgb
from vitcli.light import OnnxPredictor
from vitcli.serve.engine import Engine, Map
from vitcli.table.row import Row

NO_MAPS = "an exported net holds its answer alone; serve the run it was exported from"


@final
class OnnxEngine(Engine):
    """A net of onnxruntime's, on the CPU.

    Args:
        name: As the user typed it.
        predictor: The opened file, and how it is asked.
    """

    def __init__(self, name: str, predictor: OnnxPredictor) -> None:
        super().__init__(name, predictor.classes, predictor.preprocess, "cpu, onnxruntime", no_maps=NO_MAPS)
        self._predictor = predictor

    def answer(self, images: Sequence[Rgb]) -> list[Row]:
        """A row for each image, without path and size."""
        return self._predictor.rows(np.stack([image.transpose(1, 2, 0) for image in images]))

    def map_of(self, image: Rgb, predicted: str) -> Map:
        """Never asked for, as it has no method."""
        raise NotImplementedError(NO_MAPS)
