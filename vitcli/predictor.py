"""Predictor: a trained net for use from Python: files, images or arrays -> the rows of predict; without Lightning."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple, final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from vitcli.answers.answer import answer
from vitcli.answers.asked import Asked, Tta
from vitcli.answers.rows import rows_of
from vitcli.errors import ConfigError, DataError, WeightsError
from vitcli.evaluate.temperature import fitted_temperature
from vitcli.images.decode.encoded import MAX_PIXELS, EncodedPicture, read_file, strict
from vitcli.images.decode.given import check_array, of_array, of_image
from vitcli.images.decode.picture import Picture, UnreadableImage
from vitcli.images.decode.pixels import Rgb, Way
from vitcli.images.index.index import Index
from vitcli.images.source.archive import ARCHIVES, open_source
from vitcli.images.source.pattern import is_pattern, matching
from vitcli.images.source.source import Source
from vitcli.machine.threads import cores, map_some
from vitcli.names import at_home, extension
from vitcli.preprocess import Preprocess
from vitcli.run import resolve_checkpoint, run_of
from vitcli.table.columns import BEST, NARROW, Columns, seven
from vitcli.table.row import Row
from vitcli.weights.checkpoint import read_checkpoint
from vitcli.weights.open import open_pretrained

Given = str | os.PathLike[str] | Image.Image | NDArray[np.uint8]
# most images in one task of a thread
FEW = 4
# Pillow's settings are the process's, so that calls take turns
TURN = threading.Lock()


class _Image(NamedTuple):
    """One image to be predicted: what its row names it, and where its pixels are.

    Args:
        path: For the row; empty for what is no file.
        held: The image or array itself, or the path of its file in the source.
        source: Where the file lies; None for one named by its path, and for what is no file.
    """

    path: str
    held: Any
    source: Source | None = None


class _Read(NamedTuple):
    """An image in the size of the net, uint8 (3, height, width), and its own size; or why it cannot be read."""

    pixels: Rgb | None
    size: tuple[int, int] = (0, 0)
    reason: str = ""


@final
class Predictor:
    """A trained net: files, Pillow's images or arrays of any size -> a row for each, as ``vitcli predict`` writes them.

    It may be used by several threads; their calls take turns.

    Args:
        run: The folder of a run (its best checkpoint), a ``.ckpt`` file, or weights as ``--weights`` takes them, such
            as a file written by ``vitcli import``.
        device: ``cpu``, ``cuda`` or another of torch's; None takes a GPU if there is one.
        batch_size: Images that go through the net at once.
        temperature: By which logits are divided; ``auto`` is the one that fits the val images of the run.
        tta: ``flip`` averages the probabilities of each image and of its mirror image.
        threshold: The second of two classes is predicted from this probability on; None: the likelier class.
        max_pixels: Larger images are not decoded.

    Raises:
        WeightsError: There is no such run or file, or it holds no net that knows classes.
        ConfigError: A number out of range, a threshold for other than two classes, a run that keeps no temperature for
            its checkpoint, or a device that is not there.
    """

    def __init__(
        self,
        run: str | os.PathLike[str],
        *,
        device: str | torch.device | None = None,
        batch_size: int = 64,
        temperature: float | Literal["auto"] = 1.0,
        tta: Tta = "none",
        threshold: float | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        if batch_size < 1:
            raise ConfigError(f"batch_size {batch_size}: below 1; a batch holds at least one image")
        path = at_home(os.fspath(run))
        pretrained = open_pretrained(path)
        told: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in pretrained.preprocess.items()
        }
        try:
            self.preprocess = Preprocess(size=pretrained.net.image_size, **told)
        except TypeError as error:
            raise WeightsError(f"{run}: what it says of preprocessing is not vitcli's: {error}") from error
        self.classes = tuple(pretrained.names())
        self.asked = Asked(_fitted(path) if temperature == "auto" else temperature, tta, threshold)
        self.asked.check(self.classes)
        self.device = _device(device)
        self.net = pretrained.net.to(self.device).eval()
        self.batch_size = batch_size
        self.max_pixels = max_pixels
        self.columns = Columns(self.classes, 0 if len(self.classes) <= NARROW else BEST)
        self._way = Way.of(self.preprocess)

    def predict(self, images: Given | Iterable[Given]) -> list[Row]:
        """A row for each image, in their order; one that cannot be read has the status ``error`` and the reason.

        Of more than 100 classes a row names the best five, as in the table of ``vitcli predict``.

        Args:
            images: One or several of these: the path of an image; of a folder, zip or tar, which stands for all files
                in it in natural order; a pattern such as ``photos/**/*.jpg``; an image of Pillow's, of any mode; an
                array of uint8, (height, width, 3) as red, green and blue or (height, width) as grey. The rows of a
                folder that is given alone name its files by their place in it, other rows by the path as given; what
                is no file has an empty path.

        Raises:
            DataError: Something of another kind, an array of other numbers, a folder that cannot be listed, or a
                damaged archive.
        """
        alone = isinstance(images, str | os.PathLike)
        given: Iterable[Any] = [images] if alone or not _is_several(images) else images  # type: ignore[assignment]
        waiting = [one for each in given for one in _spelled_out(each, alone=alone)]
        rows: list[Row] = []
        with TURN, torch.inference_mode(), ThreadPoolExecutor(cores(), thread_name_prefix="decode") as pool:
            todo = iter(waiting)
            while batch := list(islice(todo, self.batch_size)):
                with strict(self.max_pixels):
                    read = list(map_some(pool, cores(), self._read, batch, FEW))
                rows += self._rows(batch, read)
        return rows

    def _read(self, image: _Image) -> _Read:
        try:
            picture = self._picture(image)
            size = picture.height, picture.width
            return _Read(picture.crop(self.preprocess.region(*size), self._way), size)
        except UnreadableImage as error:
            return _Read(None, reason=str(error))

    def _picture(self, image: _Image) -> Picture:
        if isinstance(image.held, Image.Image):
            return of_image(image.held, self.preprocess.white, self.max_pixels)
        if isinstance(image.held, np.ndarray):
            return of_array(image.held)
        content = read_file(image.held) if image.source is None else image.source.read(image.held)
        return EncodedPicture(content, self.max_pixels)

    def _rows(self, batch: Sequence[_Image], read: Sequence[_Read]) -> Iterator[Row]:
        # channels last, as predict has them, so that the net adds up in the same order
        pixels = [one.pixels.transpose(1, 2, 0) for one in read if one.pixels is not None]
        shape = (0, *self.preprocess.size, 3)
        stacked = torch.from_numpy(np.stack(pixels) if pixels else np.empty(shape, dtype=np.uint8))
        images = stacked.to(self.device).permute(0, 3, 1, 2)
        probabilities = answer(self.net, self.preprocess, images, self.asked)["probabilities"].cpu()
        said = iter(rows_of(probabilities, self.columns, threshold=self.asked.threshold))
        for image, (known, (height, width), reason) in zip(batch, read, strict=True):
            if known is None:
                yield Row(image.path, status="error", error=reason)
            else:
                yield _rounded(replace(next(said), path=image.path, width=width, height=height))


def _is_several(images: object) -> bool:
    return isinstance(images, Iterable) and not isinstance(images, Image.Image | np.ndarray)


def _spelled_out(given: Any, *, alone: bool) -> Iterator[_Image]:
    """The images that one thing stands for."""
    if isinstance(given, np.ndarray):
        check_array(given)
        yield _Image("", given)
    elif isinstance(given, Image.Image):
        yield _Image("", given)
    elif isinstance(given, str | os.PathLike):
        path = at_home(os.fspath(given))
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if is_pattern(path):
            for match in matching(path):
                yield from _files(match, alone=False)
        else:
            yield from _files(path, alone=alone)
    else:
        raise DataError(
            f"{type(given).__module__}.{type(given).__qualname__}: is no image; give a path, an image of Pillow's, or "
            "a NumPy array of uint8"
        )


def _files(path: str, *, alone: bool) -> Iterator[_Image]:
    if not (Path(path).is_dir() or (Path(path).is_file() and extension(path) in ARCHIVES)):
        yield _Image(path, path)
        return
    source, start = open_source(path), path if path.endswith("/") else f"{path}/"
    index = Index.of(source.files()[0])
    for inner in index.paths.take(index.order):
        yield _Image(inner if alone else f"{start}{inner}", inner, source)


def _fitted(path: str) -> float:
    """The temperature that a run keeps for its checkpoint."""
    if Path(path).is_dir():
        path = str(resolve_checkpoint(f"{path}/", "predict", None, path))
    run = run_of(Path(path))
    return fitted_temperature(run, 0 if run is None else int(read_checkpoint(path)["global_step"]))


def _device(wished: str | torch.device | None) -> torch.device:
    if wished is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wished)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ConfigError(f"device {wished}: cannot be used here ({reason}); say cpu, or leave it out") from error
    return device


def _rounded(row: Row) -> Row:
    """A row with the digits that a table has."""
    return replace(
        row,
        confidence=seven(row.confidence),
        probabilities=tuple(share for each in row.probabilities if (share := seven(each)) is not None),
        top=tuple((name, share) for name, each in row.top if (share := seven(each)) is not None),
    )
