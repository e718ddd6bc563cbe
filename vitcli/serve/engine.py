"""Engine: the net behind the server: uint8 images in its size -> rows of a table, and maps where it can make them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vitcli.images.decode.pixels import Rgb, Way
from vitcli.preprocess import Preprocess
from vitcli.table.row import Row

Map = NDArray[np.float32]


class Engine(ABC):
    """A net that answers batches of images, called by one thread.

    Args:
        name: As the user typed it.
        classes: Names of its classes.
        preprocess: How an image is brought into its size.
        device: Where it computes.
        method: Of the maps, a name of ``vitcli.explain.METHODS``; empty where it makes none.
        no_maps: Why it makes none.
    """

    def __init__(
        self,
        name: str,
        classes: tuple[str, ...],
        preprocess: Preprocess,
        device: str,
        method: str = "",
        no_maps: str = "",
    ) -> None:
        self.name = name
        self.classes = classes
        self.preprocess = preprocess
        self.way = Way.of(preprocess)
        self.device = device
        self.method = method
        self.no_maps = no_maps

    @abstractmethod
    def answer(self, images: Sequence[Rgb]) -> list[Row]:
        """A row for each image, without path and size.

        Args:
            images: One or more, uint8 (3, height, width) in the size of the net.
        """

    @abstractmethod
    def map_of(self, image: Rgb, predicted: str) -> Map:
        """What of an image speaks for a class: float32 (rows, columns), one value a patch; more is more important.

        Args:
            image: uint8 (3, height, width) in the size of the net.
            predicted: The name of the class.
        """
