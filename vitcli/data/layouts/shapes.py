"""ShapesData: drawn shapes to try everything without photos, each image a function of seed and path."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from PIL import Image

from vitcli.data.batches.datamodule import Split
from vitcli.data.layouts.drawing import KINDS, Box, draw
from vitcli.data.module import ImageData
from vitcli.errors import ConfigError, DataError
from vitcli.images.decode.encoded import MAX_PIXELS
from vitcli.images.decode.picture import Picture, Pixels
from vitcli.images.index.listing import Listing


@final
@dataclass(frozen=True)
class ShapeOpener:
    """Draws the pictures of a listing by position: each a pure function of seed and path.

    Args:
        paths: Such as ``test/circle/0007.png``; the folder names the kind.
        size: Height and width of a picture in pixels.
        seed: Other seeds draw other pictures.
    """

    paths: Sequence[str]
    size: tuple[int, int]
    seed: int

    def __call__(self, position: int) -> Picture:
        """The picture at a position."""
        return self.placed(position)[0]

    def placed(self, position: int) -> tuple[Picture, Box]:
        """The picture at a position, and the bounding box of its shape in pixels.

        Args:
            position: In the listing.
        """
        path = self.paths[position]
        digest = hashlib.sha256(f"{self.seed}:{path}".encode()).digest()
        image, box = draw(path.split("/")[1], random.Random(int.from_bytes(digest, "big")), self.size)
        return Pixels(np.array(image)), box


@final
class ShapesData(ImageData):
    """Drawn shapes to try everything without a download: one class for each kind, no files.

    Each picture shows one shape of any place, size and colour, slightly rotated, with lines, blobs and noise; neither
    brightness nor any weighted sum of the pixels tells the kind.

    Args:
        kinds: Which shapes, two or more of circle, square, triangle, star, cross; they are the classes.
        train: Number of pictures for training, spread evenly over the kinds.
        val: Number of pictures for validation.
        test: Number of pictures for the test; predict takes those of all three.
        drawing_seed: Other seeds draw other pictures.
        **options: What all image data take; pictures are drawn in the size of the net.

    Raises:
        ConfigError: A kind that cannot be drawn, fewer than two kinds, or a number out of range.
    """

    def __init__(
        self,
        kinds: tuple[str, ...] = ("circle", "square"),
        train: int = 2000,
        val: int = 400,
        test: int = 400,
        drawing_seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(on_error="skip", max_errors=0.0, max_pixels=MAX_PIXELS, quarantine=None, **options)
        unknown = [kind for kind in kinds if kind not in KINDS]
        if unknown or len(set(kinds)) < max(2, len(kinds)):
            why = f"{unknown[0]!r} cannot be drawn" if unknown else "names fewer than two different shapes"
            raise ConfigError(f"data.kinds {list(kinds)}: {why}; choose two or more of {', '.join(KINDS)}")
        for key, count in (("train", train), ("val", val), ("test", test)):
            if count < len(kinds):
                raise ConfigError(f"data.{key} {count}: fewer pictures than kinds; give at least {len(kinds)}")
        self.drawing_seed = drawing_seed
        self.kinds = tuple(kinds)
        self.counts = {"train": train, "val": val, "test": test}

    def find_classes(self) -> tuple[str, ...]:
        """The kinds, in the order given."""
        return self.kinds

    def list_split(self, split: Split) -> Listing:
        """The pictures of a split; predict lists those of all splits.

        Raises:
            DataError: A kind is none of the model's classes.
        """
        return self._listing(self.counts if split == "predict" else {split: self.counts[split]})

    def write(self, folder: str | os.PathLike[str], split: Split = "test", count: int | None = None) -> list[str]:
        """Draws the pictures of a split into ``folder/<kind>/<number>.png`` and names the files.

        Args:
            folder: Made where it does not exist.
            split: Which pictures: train, val or test.
            count: How many; None takes as many as the split has. The first ones are the same for any count.
        """
        listing = self._listing({split: self.counts[split] if count is None else count})
        written = []
        for position, path in enumerate(listing.paths):
            file = os.path.join(os.fspath(folder), *path.split("/")[1:])
            os.makedirs(os.path.dirname(file), exist_ok=True)
            Image.fromarray(listing.open(position).whole(*self.preprocess.size)).save(file)
            written.append(file)
        return written

    def _listing(self, counts: Mapping[str, int]) -> Listing:
        classes = self.classes or self.kinds
        for kind in self.kinds:
            if kind not in classes:
                raise DataError(
                    f"data.kinds {list(self.kinds)}: {kind!r} is none of the model's classes {list(classes)}; "
                    "choose kinds that the model knows"
                )
        paths, labels = [], []
        for part, count in counts.items():
            share, rest = divmod(count, len(self.kinds))
            for place, kind in enumerate(self.kinds):
                numbers = range(share + (place < rest))
                paths += [f"{part}/{kind}/{number:04d}.png" for number in numbers]
                labels += [classes.index(kind)] * len(numbers)
        opener = ShapeOpener(paths, self.preprocess.size, self.drawing_seed)
        mark = hashlib.sha256(repr(opener).encode()).hexdigest()[:32]
        return Listing(paths, np.array(labels, dtype=np.int64), opener, mark=mark)
