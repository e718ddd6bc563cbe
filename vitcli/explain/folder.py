"""A folder of maps: overlays and a sheet of each picture, maps.npz, and maps.csv, which says what is whose."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import final

import numpy as np
from PIL import Image

from vitcli.errors import ConfigError
from vitcli.explain.arrays import Arrays
from vitcli.explain.concentration import concentration
from vitcli.explain.images import Subject, Told
from vitcli.images.decode.encoded import strict
from vitcli.images.decode.picture import Pixels, UnreadableImage
from vitcli.images.decode.pixels import Way
from vitcli.images.index.handed import picture_of
from vitcli.images.sorting.safe import file_names
from vitcli.machine.atomic import replacing
from vitcli.names import printable
from vitcli.preprocess import Preprocess, Region
from vitcli.report.charts.colouring import Scale, overlay
from vitcli.report.charts.easel import house_style
from vitcli.report.charts.map_sheet import Shown, draw_layers, draw_sheet
from vitcli.report.pictures import shrunk
from vitcli.table.columns import Value, seven, writable
from vitcli.table.formats import open_table

TABLE, ARRAYS = "maps.csv", "maps.npz"
# pixels of the longer side: of the whole picture, and of what of it enters the net, in a sheet
WHOLE, SEEN = 720, 384


def made(folder: Path) -> Path:
    """A folder for maps, which is made; one that holds anything is refused.

    Args:
        folder: The folder.

    Raises:
        ConfigError: It holds files, or cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        holds = next(folder.iterdir(), None)
    except OSError as error:
        raise ConfigError(f"--out {folder}: the folder cannot be made ({error.strerror}); name another") from error
    if holds is not None:
        raise ConfigError(f"--out {folder}: holds {holds.name} already, and nothing is overwritten; name another")
    return folder


def free(folder: Path) -> Path:
    """The folder's name, or with -2, -3, ... behind it the first that is not taken."""
    number, found = 1, folder
    while found.exists() and not (found.is_dir() and not any(found.iterdir())):
        number += 1
        found = folder.with_name(f"{folder.name}-{number}")
    return found


@final
class MapFolder:
    """Writes what is explained into a folder; each file is there as a whole or not at all, the table last.

    Args:
        folder: An empty one.
        subject: The net.
        methods: Names of METHODS.
        layers: Number of layers and of heads, where their maps are wanted; None: they are not.
    """

    def __init__(
        self, folder: Path, subject: Subject, methods: Sequence[str], layers: tuple[int, int] | None = None
    ) -> None:
        self.folder = folder
        self.subject = subject
        self.methods = tuple(methods)
        self.layers = layers
        self._taken = {TABLE, ARRAYS}

    @property
    def columns(self) -> list[str]:
        """The header of the table."""
        each = [name for method in self.methods for name in (method, f"{method}_half", f"{method}_against")]
        sheets = ["sheet", "layers"] if self.layers else ["sheet"]
        before = ["path", "predicted", "confidence", "explained"]
        return [*before, *sheets, *each, "width", "height", "status", "error"]

    def write(self, images: Iterable[Told], count: int) -> list[Told]:
        """Write all files; what the net says of each image, without the maps.

        Args:
            images: With their maps.
            count: How many they are.
        """
        grid = self.subject.net.grid
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(self.methods, grid)
        if self.layers is not None:
            shapes["layers"] = (*self.layers, *grid)
        rows: list[list[Value]] = []
        told: list[Told] = []
        arrays = Arrays(self.folder, shapes, count)
        try:
            with house_style():
                for one in images:
                    arrays.add(one.explained)
                    rows.append(self._row(one))
                    told.append(Told(one.image, one.row, one.label, None))
            texts = {
                "path": [writable(one.row.path) for one in told],
                "predicted": [writable(one.row.predicted) for one in told],
                "explained": [writable(one.label) for one in told],
            }
            arrays.write(self.folder / ARRAYS, texts)
        finally:
            arrays.close()
        with replacing(self.folder / TABLE) as part, open_table(part, self.columns, ending=".csv") as table:
            for row in rows:
                table.write(row)
        return told

    def _row(self, one: Told) -> list[Value]:
        row, explained = one.row, one.explained
        files: dict[str, str] = {}
        values: dict[str, Value] = {
            "path": writable(row.path),
            "predicted": writable(row.predicted),
            "confidence": seven(row.confidence),
            "explained": writable(one.label),
            "width": row.width,
            "height": row.height,
            "status": row.status,
            "error": writable(row.error),
        }
        if explained is not None:
            files = self._pictures(one)
            for method, found in explained.maps.items():
                half, against = concentration(found)
                values |= {f"{method}_half": seven(half), f"{method}_against": seven(against)}
        values |= files
        return [values.get(name, "" if name in (*self.methods, "sheet", "layers") else None) for name in self.columns]

    def _pictures(self, one: Told) -> dict[str, str]:
        """Draw the pictures of an image: the name of the file of each."""
        assert one.explained is not None
        try:
            shown = self._shown(one)
        except (UnreadableImage, OSError, ValueError):
            # it has gone since the net has seen it
            return {}
        stem = self._free(one.row.path)
        files = {"sheet": f"{stem}.sheet.png"}
        with replacing(self.folder / files["sheet"]) as part:
            draw_sheet(part, shown, one.explained.maps, {method: method for method in self.methods})
        for method, found in one.explained.maps.items():
            files[method] = f"{stem}.{method}.png"
            with replacing(self.folder / files[method]) as part:
                Image.fromarray(overlay(shown.seen, found, Scale.of(found))).save(part, "PNG")
        if one.explained.layers is not None:
            files["layers"] = f"{stem}.layers.png"
            with replacing(self.folder / files["layers"]) as part:
                draw_layers(part, one.explained.layers, shown.told, shown.name)
        return files

    def _shown(self, one: Told) -> Shown:
        preprocess, row = self.subject.preprocess, one.row
        with strict(self.subject.max_pixels):
            picture = picture_of(one.image, preprocess.white, self.subject.max_pixels)
            small = np.asarray(shrunk(picture, WHOLE))
        size = picture.height, picture.width
        explained = "" if one.label == row.predicted else f", explained: {printable(one.label)}"
        sure = "" if row.confidence is None else f" {row.confidence:.3f}"
        region = preprocess.region(*size)
        return Shown(
            picture=small,
            seen=seen(small, size, preprocess),
            region=Region(region.left / size[1], region.top / size[0], region.right / size[1], region.bottom / size[0]),
            name=printable(row.path),
            told=f"{printable(row.predicted)}{sure}{explained}",
        )

    def _free(self, path: str) -> str:
        first, second = file_names(path)
        number, name = 1, first
        while (key := unicodedata.normalize("NFC", name).casefold()) in self._taken:
            name = second if number == 1 else f"{second}-{number}"
            number += 1
        self._taken.add(key)
        return name


def seen(picture: np.ndarray, size: tuple[int, int], preprocess: Preprocess) -> np.ndarray:
    """What of a picture enters the net, larger than there if it is small, for people to look at.

    Args:
        picture: uint8 (height, width, 3), perhaps smaller than the file.
        size: Height and width of the file in pixels.
        preprocess: The net's.
    """
    scale = SEEN / max(preprocess.size)
    wanted = round(preprocess.size[0] * scale), round(preprocess.size[1] * scale)
    way = Way((max(1, wanted[0]), max(1, wanted[1])), preprocess.interpolation, preprocess.fill)
    cropped = Pixels(picture, size).crop(preprocess.region(*size), way)
    return np.ascontiguousarray(cropped.transpose(1, 2, 0))
