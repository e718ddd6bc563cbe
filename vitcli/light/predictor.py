"""OnnxPredictor: an exported net for use from Python: files, images or arrays -> the rows of predict; without torch."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import final

import numpy as np
from numpy.typing import NDArray

from vitcli.answers.asked import Asked, Tta
from vitcli.answers.rows import rows_of
from vitcli.errors import ConfigError
from vitcli.images.decode.encoded import MAX_PIXELS
from vitcli.images.index.handed import Given, cropped, handed, named, stacked
from vitcli.light.model import OnnxModel
from vitcli.names import at_home
from vitcli.table.columns import BEST, NARROW, Columns
from vitcli.table.row import Row


@final
class OnnxPredictor:
    """An exported net: files, Pillow's images or arrays of any size -> a row for each, as ``vitcli predict`` has it.

    It may be used by several threads at once. Where the process has not imported torch, this does not import it either.

    Args:
        model: A file that ``vitcli export --out model.onnx`` has written; its temperature is in it.
        batch_size: Images that go through the net at once.
        tta: ``flip`` averages the probabilities of each image and of its mirror image.
        threshold: The second of two classes is predicted from this probability on; None: as the file says, which may be
            the likelier class.
        max_pixels: Larger images are not decoded.
        threads: How many compute; 0: as many as there are cores.

    Raises:
        WeightsError: There is no such file, or it is none that vitcli export writes.
        ConfigError: A number out of range, a threshold for other than two classes, or onnxruntime is not installed.
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        *,
        batch_size: int = 64,
        tta: Tta = "none",
        threshold: float | None = None,
        max_pixels: int = MAX_PIXELS,
        threads: int = 0,
    ) -> None:
        if batch_size < 1:
            raise ConfigError(f"batch_size {batch_size}: below 1; a batch holds at least one image")
        self.model = OnnxModel(at_home(os.fspath(model)), threads)
        contract = self.model.contract
        self.classes = contract.classes
        self.preprocess = contract.preprocess
        self.asked = Asked(tta=tta, threshold=contract.threshold if threshold is None else threshold)
        self.asked.check(self.classes)
        self.batch_size = batch_size
        self.max_pixels = max_pixels
        self.columns = Columns(self.classes, 0 if len(self.classes) <= NARROW else BEST)

    def predict(self, images: Given | Iterable[Given]) -> list[Row]:
        """A row for each image, in their order; one that cannot be read has the status ``error`` and the reason.

        Args:
            images: As ``vitcli.Predictor.predict`` takes them: paths of images, folders, zips and tars, patterns,
                Pillow's images, arrays of uint8; one or several.

        Raises:
            DataError: Something of another kind, an array of other numbers, a folder that cannot be listed, or a
                damaged archive.
            WeightsError: The graph fails.
        """
        rows: list[Row] = []
        for batch, read in cropped(handed(images), self.preprocess, self.batch_size, self.max_pixels):
            rows += named(batch, read, self.rows(stacked(read, self.preprocess.size)))
        return rows

    def rows(self, pixels: NDArray[np.uint8]) -> list[Row]:
        """A row for each image that is in the size of the net already, without its path and size.

        Args:
            pixels: uint8 (batch, height, width, 3).

        Raises:
            WeightsError: The graph fails.
        """
        return rows_of(self.probabilities(pixels), self.columns, threshold=self.asked.threshold)

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities of images that are in the size of the net already: float32 (batch, classes).

        Args:
            pixels: uint8 (batch, height, width, 3).

        Raises:
            WeightsError: The graph fails.
        """
        return self.model.probabilities(pixels, self.asked.tta)
