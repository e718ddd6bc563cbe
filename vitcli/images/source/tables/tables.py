"""Tables (a Source): the images in the rows of Parquet and Arrow files, each read as a range of bytes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.source.entries import Entries, Entry
from vitcli.images.source.inner import MOST_BYTES, too_large
from vitcli.images.source.paths import Paths
from vitcli.images.source.ranges import FileRanges, Place, Ranges, read_image
from vitcli.images.source.rows import RowOf, hashed
from vitcli.images.source.source import Source
from vitcli.images.source.tables.columns import PATH, Images
from vitcli.images.source.tables.laid import places_of
from vitcli.images.source.tables.names import names_of
from vitcli.images.source.tables.places import NOTHING, Places
from vitcli.images.source.tables.table import Table

NO_IMAGE = "row without an image"
ONLY_A_PATH = "row with a path in place of an image"


@final
class Tables(Source):
    """Images in the rows of tables, in the order of the rows.

    Where every row has a path with folders of its own, as a folder of images would have, that is the path of its image.
    Else it is the name of the table and the number of the row, from 0 on, with the name of the file behind it if the
    row has one.

    Args:
        root: The file, folder or pattern, as it was named.
        ranges: Where the tables lie.
        tables: In their order.
        images: The column of images.
        kept: Folder for what is found out about them.

    Raises:
        DataError: A table is damaged.
        ConfigError: Too little room to lay out compressed images.
    """

    def __init__(self, root: str, ranges: Ranges, tables: Sequence[Table], images: Images, kept: Path) -> None:
        super().__init__(root, (images.column,))
        self.ranges = ranges
        self.tables: list[Entry] = [table.entry for table in tables]
        # what the user should know
        self.notices: list[str] = []
        self.left_out: Counter[str] = Counter()
        # images that are laid out lie on this machine, wherever the tables do
        self._laid = FileRanges(os.path.abspath(kept))
        found, owns = [], []
        for table in tables:
            places, told = places_of(table, images, kept)
            self.notices += [told] if told else []
            found.append(places)
            owns.append(_own_paths(table, images, len(places.sizes)))
        self._files = [places.name for places in found]
        #: how many rows each table has
        self.counts = [len(places.sizes) for places in found]
        all_places = Places.of("", [(places.starts, places.sizes) for places in found])
        table_of = np.repeat(np.arange(len(found)), self.counts)
        own = [path for paths in owns for path in paths]
        #: of all rows of all tables, those with an image
        self.rows = self._with_image(all_places.sizes, own)
        #: the place of each one's table among the tables
        self.table_of: NDArray[np.int64] = table_of[self.rows]
        self._starts, self._sizes = all_places.starts[self.rows], all_places.sizes[self.rows]
        first = np.cumsum([0, *self.counts])
        numbers = self.rows - first[self.table_of]
        self.paths = Paths.of(
            names_of([entry.path for entry in self.tables], self.table_of, numbers, [own[row] for row in self.rows])
        )
        self._row_of = RowOf(self.paths, hashed(self.paths))

    def folders(self, inside: str = "") -> list[str]:
        """None: rows lie in no folders."""
        return []

    def files(
        self, inside: str = "", extensions: Collection[str] | None = None, deep: bool = True
    ) -> tuple[Entries, Counter[str]]:
        """The rows with an image, table by table, whatever the endings looked for."""
        versions = np.array([entry.version for entry in self.tables], dtype=np.int64)[self.table_of]
        return Entries.held(self.paths, self._sizes, versions), Counter(self.left_out)

    def place(self, path: str) -> Place | None:
        """Where the bytes of an image lie; None if there is no such row, or no image in it."""
        row = self._row_of(path)
        if row is None:
            return None
        return Place(self._files[self.table_of[row]], int(self._starts[row]), int(self._sizes[row]))

    def read(self, path: str) -> bytes:
        """The bytes of an image."""
        place = self.place(path)
        if place is None:
            raise UnreadableImage("no such row, or no image in it")
        return read_image(self._laid if os.path.isabs(place.name) else self.ranges, place)

    def ahead(self, paths: Sequence[str]) -> None:
        """Images that will be read soon, in this order."""
        places = (place for path in paths if (place := self.place(path)) is not None)
        self.ranges.ahead([place for place in places if not os.path.isabs(place.name)])

    def file(self, path: str) -> str | None:
        """None: a row is no file of its own."""
        return None

    def _with_image(self, sizes: NDArray[np.int64], own: Sequence[str | None]) -> NDArray[np.int64]:
        for row in np.flatnonzero(sizes == NOTHING).tolist():
            self.left_out[ONLY_A_PATH if own[row] else NO_IMAGE] += 1
        kept = sizes != NOTHING
        for row in np.flatnonzero(sizes > MOST_BYTES).tolist():
            self.left_out[too_large(int(sizes[row]))] += 1
            kept[row] = False
        return np.flatnonzero(kept)


def _own_paths(table: Table, images: Images, count: int) -> list[str | None]:
    """The path that each row has beside its image."""
    if not images.has_paths:
        return [None] * count
    paths = [path for array in table.column(images.column, PATH) for path in array.to_pylist()]
    return paths if len(paths) == count else [None] * count
