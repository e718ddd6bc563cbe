"""Copies of decoded images, as the cache keeps them for training and evaluation, opened from a memory map."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np

from vitcli.images.decode.picture import Picture, Pixels, UnreadableImage
from vitcli.images.decode.pixels import Rgb, Way
from vitcli.preprocess import Preprocess, Region


@final
@dataclass(frozen=True)
class Shrunk:
    """A copy for training: all of a picture, its shorter side limited, from which crops are taken.

    Args:
        side: Longest shorter side, in pixels.
        white: The value of white in pictures of more than 8 bits; None for what the file says.
    """

    side: int
    white: int | None = None

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the copy."""
        scale = min(1.0, self.side / min(height, width))
        return max(1, round(height * scale)), max(1, round(width * scale))

    def take(self, picture: Picture) -> Rgb:
        """The copy, uint8 (height, width, 3)."""
        return picture.whole(*self.size(picture.height, picture.width), self.white)

    def picture(self, pixels: Rgb, size: tuple[int, int]) -> Picture:
        """The copy as a picture of its former size."""
        return Pixels(pixels, size)


@final
@dataclass(frozen=True)
class Ready:
    """A copy for evaluation: exactly what enters the net.

    Args:
        preprocess: Size, interpolation and crop of evaluation.
    """

    preprocess: Preprocess

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the copy."""
        return self.preprocess.size

    def take(self, picture: Picture) -> Rgb:
        """The copy, uint8 (height, width, 3)."""
        preprocess = self.preprocess
        way = Way.of(preprocess)
        planes = picture.crop(preprocess.region(picture.height, picture.width), way)
        return np.ascontiguousarray(planes.transpose(1, 2, 0))

    def picture(self, pixels: Rgb, size: tuple[int, int]) -> Picture:
        """The copy as the picture that needs no more cropping."""
        return Cropped(pixels, size)


@final
class Cropped(Picture):
    """A picture of which only the one region that is wanted is kept, cropped already.

    Args:
        pixels: uint8 (height, width, 3), the region in the size of the net.
        size: Height and width of the whole picture.
    """

    def __init__(self, pixels: Rgb, size: tuple[int, int]) -> None:
        super().__init__(*size)
        self.pixels = pixels

    def crop(self, region: Region, way: Way, *, to_the_end: bool = True) -> Rgb:
        """The kept region: uint8 (3, height, width)."""
        return self.pixels.transpose(2, 0, 1)


def damaged(folder: Path, count: int) -> str | None:
    """What a store lacks, as one that was cut short by a copy or a full disk; None if it is whole.

    Args:
        folder: Of the store.
        count: How many pictures it is of.
    """
    try:
        sizes = np.load(folder / "sizes.npy")
        told = json.loads((folder / "about.json").read_text())
        lies = (folder / "pixels").stat().st_size
    except (OSError, ValueError, EOFError) as error:
        return f"cannot be read ({' '.join(str(error).split())[:100]})"
    if sizes.shape != (count, 4) or not isinstance(told, dict) or not isinstance(told.get("reasons"), dict):
        return "is not what was written"
    wanted = int((3 * sizes[:, 0].astype(np.int64) * sizes[:, 1]).sum())
    unreadable = np.flatnonzero(sizes[:, 0] == 0).tolist()
    if lies != wanted:
        return f"holds {lies:,} bytes of {wanted:,}"
    return None if all(str(position) in told["reasons"] for position in unreadable) else "is not what was written"


@final
@dataclass
class StoredOpener:
    """Opens the pictures of a store by position.

    Args:
        folder: Of the store.
        copy: What kind of copies it holds.
    """

    folder: Path
    copy: Shrunk | Ready
    _held: dict[str, Any] = field(default_factory=dict)

    def __getstate__(self) -> dict[str, object]:
        return {"folder": self.folder, "copy": self.copy, "_held": {}}

    def __call__(self, position: int) -> Picture:
        """The picture at a position.

        Raises:
            UnreadableImage: The file was no usable image.
        """
        held = self._held or self._open()
        height, width, *size = held["sizes"][position].tolist()
        if not height:
            raise UnreadableImage(held["reasons"][str(position)])
        start = int(held["starts"][position])
        pixels = held["pixels"][start : start + 3 * height * width].reshape(height, width, 3)
        return self.copy.picture(pixels, (size[0], size[1]))

    def _open(self) -> dict[str, Any]:
        sizes = np.load(self.folder / "sizes.npy")
        lengths = 3 * sizes[:, 0].astype(np.int64) * sizes[:, 1]
        # a copy-on-write memory map, as torch asks for writable arrays; a plain array is sliced six times as fast
        pixels = np.memmap(self.folder / "pixels", dtype=np.uint8, mode="c").view(np.ndarray) if lengths.any() else None
        self._held |= {
            "sizes": sizes,
            "starts": np.concatenate([[0], np.cumsum(lengths)]),
            "reasons": json.loads((self.folder / "about.json").read_text())["reasons"],
            "pixels": pixels,
        }
        return self._held
