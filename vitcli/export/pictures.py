"""Pictures to try an export on: the images of the run's val, those of a folder, or drawn ones where there are none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from vitcli.data.layouts.drawing import KINDS
from vitcli.data.layouts.shapes import ShapeOpener
from vitcli.errors import DataError, UserError
from vitcli.evaluate.origin import find_origin
from vitcli.evaluate.read import read_scored
from vitcli.export.subject import Subject
from vitcli.images.decode.encoded import MAX_PIXELS, EncodedPicture, strict
from vitcli.images.decode.picture import Picture, UnreadableImage
from vitcli.images.decode.pixels import Rgb, Way
from vitcli.images.index.index import Index
from vitcli.images.source.open import open_source
from vitcli.machine.threads import cores, map_some
from vitcli.names import counted, printable
from vitcli.preprocess import Preprocess
from vitcli.report.material import gather

# looked at, at most; of more, evenly spaced ones, so that of each class there are some
MOST = 1000
DRAWN = 64
# pictures in one task of a thread
FEW = 4
# why a picture of a table may be missing
GONE = (UnreadableImage, OSError, ValueError, LookupError)


@final
@dataclass(frozen=True)
class Pictures:
    """Pictures in the size of the net.

    Args:
        pixels: uint8 (pictures, height, width, 3).
        labels: int64 (pictures,), positions in the net's classes; -1 where unknown.
        told: What they are, for people.
        real: Whether they are pictures of the kind that the net was trained for.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    told: str
    real: bool

    def __len__(self) -> int:
        return len(self.pixels)


def find_pictures(subject: Subject, images: str | None = None, most: int = MOST) -> Pictures:
    """Pictures for this net: of a folder if it is given, else of the run's val if they are there, else drawn ones.

    Args:
        subject: What is exported.
        images: Folder, zip or tar; of a run, its val pictures, which are found there by their paths.
        most: How many at most.

    Raises:
        DataError: ``images`` is no folder or archive, or holds no picture.
    """
    try:
        found = _of_val(subject, images, most) or (None if images is None else _of_folder(subject, images, most))
    except DataError as error:
        # whoever opens images knows them by the name that they have in training
        raise DataError(str(error).replace(f"data.root {images}", f"--images {images}", 1)) from error
    if found is None and images is not None:
        raise DataError(f"--images {images}: holds no picture that can be read; name the folder of the val pictures")
    return found or _drawn(subject.preprocess)


def _of_val(subject: Subject, images: str | None, most: int) -> Pictures | None:
    """The images of the run's table of val, with their labels; None where there is no table, or none of them."""
    if subject.run is None:
        return None
    try:
        origin = find_origin(str(subject.run.folder), "val")
        scored = read_scored(origin.table)
    except UserError:
        return None
    opens = gather(origin, scored, images=images).opens
    if opens is None:
        return None
    rows = _spread(len(scored), most)
    places = {name: place for place, name in enumerate(subject.classes)}
    known = [places.get(scored.classes[label], -1) if label >= 0 else -1 for label in scored.labels[rows].tolist()]
    read = list(_read([scored.paths[row] for row in rows], opens, subject.preprocess))
    kept = [place for place, pixels in enumerate(read) if pixels is not None]
    if not kept:
        return None
    told = f"{counted(len(kept), 'image')} of val of {printable(subject.run.name)}"
    return Pictures(_stacked(read), np.array(known, dtype=np.int64)[kept], told, real=True)


def _of_folder(subject: Subject, images: str, most: int) -> Pictures | None:
    """The images of a folder; the one above a picture names its class, if the net has one of that name."""
    source = open_source(images)
    index = Index.of(source.files()[0])
    paths = list(index.paths.take(index.order))
    paths = [paths[row] for row in _spread(len(paths), most)]

    def opens(path: str) -> Picture:
        return EncodedPicture(source.read(path), MAX_PIXELS)

    places = {name: place for place, name in enumerate(subject.classes)}
    known = [places.get(path.split("/")[-2] if "/" in path else "", -1) for path in paths]
    read = list(_read(paths, opens, subject.preprocess))
    kept = [place for place, pixels in enumerate(read) if pixels is not None]
    if not kept:
        return None
    told = f"{counted(len(kept), 'image')} of {printable(Path(images).resolve().name)}"
    return Pictures(_stacked(read), np.array(known, dtype=np.int64)[kept], told, real=True)


def _drawn(preprocess: Preprocess) -> Pictures:
    """Drawn shapes in the size of the net, without labels."""
    paths = [f"val/{KINDS[number % len(KINDS)]}/{number:04d}.png" for number in range(DRAWN)]
    opener = ShapeOpener(paths, preprocess.size, 0)
    pixels = np.stack([opener(place).whole(*preprocess.size) for place in range(DRAWN)])
    return Pictures(pixels, np.full(DRAWN, -1), f"{DRAWN} drawn pictures", real=False)


def _spread(number: int, most: int) -> list[int]:
    """At most so many of the positions below a number, evenly spaced."""
    return np.unique(np.linspace(0, number - 1, min(number, most)).astype(int)).tolist() if number else []


def _read(paths: Sequence[str], opens: Callable[[str], Picture], preprocess: Preprocess) -> Iterator[Rgb | None]:
    """Pictures as they enter the net, uint8 (3, height, width); None for one that cannot be read."""
    way = Way.of(preprocess)

    def read(path: str) -> Rgb | None:
        try:
            picture = opens(path)
            return picture.crop(preprocess.region(picture.height, picture.width), way)
        except GONE:
            return None

    with strict(MAX_PIXELS), ThreadPoolExecutor(cores(), thread_name_prefix="decode") as pool:
        yield from map_some(pool, cores(), read, paths, FEW)


def _stacked(read: Sequence[Rgb | None]) -> NDArray[np.uint8]:
    return np.stack([pixels.transpose(1, 2, 0) for pixels in read if pixels is not None])
