"""Pictures: where the images of a table lie, and thumbnails of some of them, as long as they are still there."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, final

import numpy as np
from PIL import Image

from vitcli.errors import UserError
from vitcli.images.decode import jpeg
from vitcli.images.decode.encoded import EncodedPicture, orientation, strict
from vitcli.images.decode.picture import Picture, UnreadableImage
from vitcli.images.source.archive import ARCHIVES
from vitcli.images.source.open import open_source
from vitcli.images.source.remote.options import REMOTE, Remote
from vitcli.images.source.source import Folder, Source
from vitcli.images.source.tables.found import tables_of
from vitcli.machine.threads import cores
from vitcli.names import at_home, extension, is_url
from vitcli.preprocess import Region
from vitcli.run import CACHE, RunOptions

# pixels of the longer side; on a page a thumbnail is at most 112 wide
SIDE = 144
QUALITY = 60
# pictures of more pixels are not decoded for a page: they take seconds each
MOST_PIXELS = 50_000_000
# Kaggle's, which CatsDogsData reads in place
TRAIN_ZIP = "train.zip"

# what is raised for a picture that is gone, or cannot be read
NOT_THERE = (UnreadableImage, OSError, ValueError, LookupError)

Open = Callable[[str], Picture]


@final
class Thumbnails:
    """Thumbnails of a table's images, made once each, and never more than a number of them.

    Args:
        opens: The picture of a path; None where there are no pictures.
        most: How many at most.
    """

    def __init__(self, opens: Open | None, most: int) -> None:
        self.most = most
        self._open = opens
        self._made: dict[str, str | None] = {}

    def make(self, paths: Sequence[str]) -> None:
        """Make those of some paths, the first ones if they are too many."""
        if self._open is None:
            return
        wanted = [path for path in dict.fromkeys(paths) if path not in self._made]
        wanted = wanted[: max(0, self.most - len(self._made))]
        with strict(MOST_PIXELS), ThreadPoolExecutor(max_workers=cores()) as pool:
            self._made |= dict(zip(wanted, pool.map(self._one, wanted), strict=True))

    def __getitem__(self, path: str) -> str | None:
        """A ``data:`` address; None if there is no thumbnail of this path."""
        return self._made.get(path)

    @property
    def shown(self) -> int:
        """How many there are."""
        return sum(address is not None for address in self._made.values())

    @property
    def missing(self) -> int:
        """How many pictures are gone or cannot be read."""
        return len(self._made) - self.shown

    def images(self, paths: Sequence[str]) -> list[Image.Image | None]:
        """Small copies of some pictures; None where a picture is gone, or they are too many."""
        with strict(MOST_PIXELS):
            return [self._small(path) if number < self.most else None for number, path in enumerate(paths)]

    def _one(self, path: str) -> str | None:
        small = self._small(path)
        return None if small is None else address(small, QUALITY)

    def _small(self, path: str) -> Image.Image | None:
        if self._open is None:
            return None
        try:
            return shrunk(self._open(path))
        except (*NOT_THERE, MemoryError):
            return None


def is_there(opens: Open, path: str) -> bool:
    """Whether a picture can be opened, whatever is in it."""
    try:
        opens(path)
    except NOT_THERE:
        return False
    return True


def shrunk(picture: Picture, side: int = SIDE) -> Image.Image:
    """A small upright RGB copy; a small picture stays as it is. Without torch, which takes seconds to import.

    Args:
        picture: Any.
        side: The longer side at most, in pixels.

    Raises:
        UnreadableImage: The pixels are damaged.
    """
    scale = min(1.0, side / max(picture.height, picture.width))
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    if not isinstance(picture, EncodedPicture):
        image = Image.fromarray(np.ascontiguousarray(picture.whole(picture.height, picture.width)))
    else:
        image = _jpeg(picture, size) or picture.image()
    return image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)


def _jpeg(picture: EncodedPicture, size: tuple[int, int]) -> Image.Image | None:
    """A JPEG decoded at a fraction of its size; None for others."""
    with Image.open(io.BytesIO(picture.content)) as header:
        if not jpeg.is_plain(header):
            return None
        stored, turn = header.size, jpeg.Turn.of(orientation(header))
    wanted = turn.size((size[1], size[0]))
    pixels = jpeg.decode(picture.content, stored, Region(0, 0, stored[0], stored[1]), wanted)
    if pixels is None:
        return None
    return Image.fromarray(np.ascontiguousarray(turn.upright(pixels.transpose(2, 0, 1)).transpose(1, 2, 0)))


def address(image: Image.Image, quality: int) -> str:
    """An image as WebP in a ``data:`` address; the same image gives the same bytes."""
    file = io.BytesIO()
    image.save(file, "WEBP", quality=quality, method=2)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def pictures_of(config: Mapping[str, Any], also: str = "") -> Open | None:
    """What opens the pictures of a run by the paths of its table; None where they are gone.

    Args:
        config: The run's, or that of the command which wrote the table.
        also: Where else they may lie: the folder or archive as an absolute path.
    """
    data = section(config, "data")
    kind = str(data.get("class_path", "")).rpartition(".")[2]
    options = section(data, "init_args")
    if kind == "ShapesData":
        return _drawn(options, section(section(config, "model"), "net").get("image_size"))
    root = options.get("root")
    if kind == "ParquetData" and isinstance(root, str):
        return _in_tables(root, options)
    is_far = isinstance(root, str) and is_url(root)
    if isinstance(root, list) or (
        isinstance(root, str) and not is_far and set(root) & set("*?[") and not Path(root).exists()
    ):
        # of several, and of a pattern, paths are written as they were named
        return beside(Path())
    for place in (_place(kind, options) if isinstance(root, str) else "", also):
        if place and (is_url(place) or Path(place).exists()):
            try:
                remote = Remote(**section(options, "remote"))
                return lying_in(place, follow_links=bool(options.get("follow_links")), remote=remote)
            except UserError:
                continue
    return None


def lying_in(place: str, *, follow_links: bool = False, remote: Remote = REMOTE) -> Open:
    """What opens the pictures in a folder or an archive, on a disk or in a store, by their paths in it.

    Raises:
        UserError: It is neither, or damaged.
    """
    source: Source = open_source(place, follow_links, remote=remote)

    def opens(path: str) -> Picture:
        return EncodedPicture(source.read(path), MOST_PIXELS)

    return opens


def beside(table: Path) -> Open:
    """What opens the pictures of somebody's table: paths are from its folder, from here, or absolute."""
    folders = [Folder(str(table.parent)), Folder("")]

    def opens(path: str) -> Picture:
        folder = next((folder for folder in folders if Path(folder.root, path).is_file()), folders[0])
        return EncodedPicture(folder.read(path), MOST_PIXELS)

    return opens


def _place(kind: str, options: Mapping[str, Any]) -> str:
    """The folder or archive below which the paths of a layout of images are."""
    root = at_home(str(options["root"]))
    above = root.rpartition("/")[0] if is_url(root) else str(Path(root).parent)
    if kind == "ManifestData":
        return at_home(str(options["folder"])) if options.get("folder") else above
    if kind == "CatsDogsData" and (zipped := Path(root, TRAIN_ZIP)).is_file():
        return str(zipped)
    # one image, or a list of them, lies in the folder that the paths are from
    return above if Path(root).is_file() and extension(root) not in ARCHIVES else root


def _in_tables(root: str, options: Mapping[str, Any]) -> Open | None:
    """What opens the images in the rows of tables; None where they are gone."""
    kept = options.get("cache_dir") or Path(RunOptions().dir, CACHE)
    try:
        source = tables_of(at_home(root), options.get("image_column"), Path(at_home(str(kept))))
    except UserError:
        return None

    def opens(path: str) -> Picture:
        return EncodedPicture(source.read(path), MOST_PIXELS)

    return opens


def _drawn(options: Mapping[str, Any], size: Any) -> Open | None:
    """Shapes are drawn again, each from its path; the only pictures for which torch is imported."""
    sides = (size, size) if isinstance(size, int) else tuple(size) if isinstance(size, list) else ()
    seed = options.get("drawing_seed", 0)
    if len(sides) != 2 or not isinstance(seed, int):
        return None
    from vitcli.data.layouts.shapes import ShapeOpener

    def opens(path: str) -> Picture:
        return ShapeOpener([path], (int(sides[0]), int(sides[1])), seed)(0)

    return opens


def section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A section of a config; empty where there is none."""
    found = config.get(name)
    return found if isinstance(found, Mapping) else {}
