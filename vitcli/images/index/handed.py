"""Handed images: the paths, Pillow's images and arrays that a program wants predicted -> crops of the net's size."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vitcli.errors import DataError
from vitcli.images.decode.encoded import EncodedPicture, read_file, strict
from vitcli.images.decode.given import check_array, of_array, of_image
from vitcli.images.decode.picture import Picture, UnreadableImage
from vitcli.images.decode.pixels import Rgb, Way
from vitcli.images.index.index import Index
from vitcli.images.source.archive import ARCHIVES
from vitcli.images.source.open import open_source
from vitcli.images.source.pattern import is_pattern, matching
from vitcli.images.source.source import Source
from vitcli.machine.threads import cores, map_some
from vitcli.names import at_home, extension, is_url
from vitcli.preprocess import Preprocess
from vitcli.table.columns import rounded
from vitcli.table.row import Row

Given = str | os.PathLike[str] | Image.Image | NDArray[np.uint8]
# most images in one task of a thread
FEW = 4
# Pillow's settings are the process's, so that calls take turns
TURN = threading.Lock()


class Handed(NamedTuple):
    """One image to be predicted: what its row names it, and where its pixels are.

    Args:
        path: For the row; empty for what is no file.
        held: The image or array itself, or the path of its file in the source.
        source: Where the file lies; None for one named by its path, and for what is no file.
    """

    path: str
    held: Any
    source: Source | None = None


class Cropped(NamedTuple):
    """An image in the size of the net, uint8 (3, height, width), and its own size; or why it cannot be read."""

    pixels: Rgb | None
    size: tuple[int, int] = (0, 0)
    reason: str = ""


def handed(images: Given | Iterable[Given]) -> list[Handed]:
    """Every image that is meant, in order.

    Args:
        images: One or several of these: the path of an image; of a folder, zip or tar, which stands for all files in
            it in natural order; a pattern such as ``photos/**/*.jpg``; an image of Pillow's, of any mode; an array of
            uint8, (height, width, 3) as red, green and blue or (height, width) as grey. Of a folder that is given
            alone, files are named by their place in it.

    Raises:
        DataError: Something of another kind, an array of other numbers, a folder that cannot be listed, or a damaged
            archive.
    """
    alone = isinstance(images, str | os.PathLike)
    given: Iterable[Any] = [images] if alone or not _is_several(images) else images  # type: ignore[assignment]
    return [one for each in given for one in _spelled_out(each, alone=alone)]


def cropped(
    images: Sequence[Handed], preprocess: Preprocess, batch_size: int, max_pixels: int
) -> Iterator[tuple[list[Handed], list[Cropped]]]:
    """The images, batch by batch, with their crops; decoded on all cores, by one caller at a time.

    Args:
        images: All of them.
        preprocess: What of each enters the net.
        batch_size: Images that are decoded at once.
        max_pixels: Larger images are not decoded.
    """
    way = Way.of(preprocess)

    def look(image: Handed) -> Cropped:
        try:
            picture = picture_of(image, preprocess.white, max_pixels)
            size = picture.height, picture.width
            return Cropped(picture.crop(preprocess.region(*size), way), size)
        except UnreadableImage as error:
            return Cropped(None, reason=str(error))

    todo = iter(images)
    with ThreadPoolExecutor(cores(), thread_name_prefix="decode") as pool:
        while batch := list(islice(todo, batch_size)):
            with TURN, strict(max_pixels):
                read = list(map_some(pool, cores(), look, batch, FEW))
            yield batch, read


def stacked(read: Sequence[Cropped], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The images that could be read as one array: uint8 (batch, height, width, 3), channels last as predict has them.

    Args:
        read: A batch.
        size: Height and width of the net's images in pixels.
    """
    pixels = [one.pixels.transpose(1, 2, 0) for one in read if one.pixels is not None]
    return np.stack(pixels) if pixels else np.empty((0, *size, 3), dtype=np.uint8)


def named(batch: Sequence[Handed], read: Sequence[Cropped], said: Iterable[Row]) -> Iterator[Row]:
    """The row of each image of a batch, with its path and size, or why it could not be read.

    Args:
        batch: The images.
        read: Their crops.
        said: What the net says of each that could be read.
    """
    rows = iter(said)
    for image, (pixels, (height, width), reason) in zip(batch, read, strict=True):
        if pixels is None:
            yield Row(image.path, status="error", error=reason)
        else:
            yield rounded(replace(next(rows), path=image.path, width=width, height=height))


def picture_of(image: Handed, white: int | None, max_pixels: int) -> Picture:
    """The upright picture of an image, decoded where it is cropped.

    Args:
        image: Any.
        white: The value of white in pictures of more than 8 bits.
        max_pixels: Larger ones are not decoded.

    Raises:
        UnreadableImage: It is none, too large, or gone.
    """
    if isinstance(image.held, Image.Image):
        return of_image(image.held, white, max_pixels)
    if isinstance(image.held, np.ndarray):
        return of_array(image.held)
    content = read_file(image.held) if image.source is None else image.source.read(image.held)
    return EncodedPicture(content, max_pixels)


def _is_several(images: object) -> bool:
    return isinstance(images, Iterable) and not isinstance(images, bytes | Image.Image | np.ndarray)


def _spelled_out(given: Any, *, alone: bool) -> Iterator[Handed]:
    """The images that one thing stands for."""
    if isinstance(given, np.ndarray):
        check_array(given)
        yield Handed("", given)
    elif isinstance(given, Image.Image):
        yield Handed("", given)
    elif isinstance(given, str | os.PathLike):
        path = at_home(os.fspath(given))
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if not path:
            raise DataError("'': is no path of an image; give one, an image of Pillow's, or a NumPy array of uint8")
        if not is_url(path) and is_pattern(path):
            for match in matching(path):
                yield from _files(match, alone=False)
        else:
            yield from _files(path, alone=alone)
    else:
        raise DataError(
            f"{type(given).__module__}.{type(given).__qualname__}: is no image; give a path, an image of Pillow's, or "
            "a NumPy array of uint8"
        )


def _files(path: str, *, alone: bool) -> Iterator[Handed]:
    if not is_url(path) and not (Path(path).is_dir() or (Path(path).is_file() and extension(path) in ARCHIVES)):
        yield Handed(path, path)
        return
    source = open_source(path)
    # an image in a store is named by the folder that it lies in
    start = f"{(source.root if is_url(path) else path).rstrip('/')}/"
    index = Index.of(source.files()[0])
    for inner in index.paths.take(index.order):
        yield Handed(inner if alone else f"{start}{inner}", inner, source)
