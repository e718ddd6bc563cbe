"""Shards (a Source): pictures in many tars, each read by its range of bytes, under the names they have in the tars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from vitcli.errors import DataError
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.source.entries import SPREAD, Entries
from vitcli.images.source.members import folders_of
from vitcli.images.source.paths import Paths
from vitcli.images.source.ranges import FileRanges, Place, Ranges, read_image
from vitcli.images.source.rows import RowOf, hashed
from vitcli.images.source.shards.found import TAR
from vitcli.images.source.shards.index import indexed
from vitcli.images.source.shards.packed import changed, check_packed
from vitcli.images.source.shards.table import Table
from vitcli.images.source.source import Source
from vitcli.images.source.walk import is_compressed
from vitcli.names import extension, first_of, natural_order, printable


@final
class Shards(Source):
    """Pictures in tars, as WebDataset writes them.

    A picture's path is its name in its tar: where it lies makes no difference to the order of samples. A name that is
    in several tars stands behind the name of the tar.

    Args:
        root: A folder of tars, one tar, or a pattern such as ``photos/{000..012}.tar``.
        field: In which the JSON beside a picture has its label; empty for the usual ones.
        kept: The folder where the index is kept if none can be written beside the shards; None does without.
        ranges: The files of the root if they are on no disk.

    Raises:
        DataError: There are no tars, or one is damaged, compressed or truncated, has a name twice or one that points
            outside.
    """

    def __init__(self, root: str, field: str = "", kept: Path | None = None, ranges: Ranges | None = None) -> None:
        super().__init__(root)
        self.ranges = FileRanges(root) if ranges is None else ranges
        files = {entry.path: entry for entry in self.ranges.names()}
        names = sorted((name for name in files if extension(name) == TAR), key=natural_order)
        packed = [name for name in files if is_compressed(name)]
        if not names:
            remedy = (
                f"{first_of(packed, 3)} {'is' if len(packed) == 1 else 'are'} compressed; unpack them, as only in a "
                "plain tar one file can be read"
                if packed
                else "name a folder of tars, or a pattern such as photos/{000..012}.tar"
            )
            raise DataError(f"data.root {root}: no tar in it; {remedy}")
        self.entries = [files[name] for name in names]
        check_packed(self.ranges, self.entries)
        self.table = indexed(self.ranges, self.entries, field, kept)
        self.left_out: Counter[str] = Counter()
        if packed:
            self.left_out["compressed tar"] = len(packed)
        for shard in self.table.shards:
            self.left_out.update(shard.left_out)
        self._firsts = self.table.firsts
        self._names = names
        self.paths, hashes = _apart(self.table)
        self._row_of = RowOf(self.paths, hashes)

    def folders(self, inside: str = "") -> list[str]:
        """Names of the visible folders directly in a folder, in natural order."""
        return folders_of(self.paths, inside)

    def files(
        self, inside: str = "", extensions: Collection[str] | None = None, deep: bool = True
    ) -> tuple[Entries, Counter[str]]:
        """The pictures below a folder, whatever endings are looked for: labels are no files of their own."""
        if extensions is not None and not extensions:
            return Entries(), Counter(self.left_out)
        if not inside and deep:
            return Entries.held(self.paths, self.table.sizes, self._versions()), Counter(self.left_out)
        prefix = f"{inside}/" if inside else ""
        wanted = (path.startswith(prefix) and (deep or "/" not in path[len(prefix) :]) for path in self.paths)
        rows = np.flatnonzero(np.fromiter(wanted, dtype=bool, count=len(self.paths)))
        paths = Paths.of(list(self.paths.take(rows)))
        return Entries.held(paths, self.table.sizes[rows], self._versions()[rows]), Counter(self.left_out)

    def read(self, path: str) -> bytes:
        """The bytes of a picture."""
        place = self.place(path)
        if place is None:
            raise UnreadableImage("no such file in the shards")
        return read_image(self.ranges, place)

    def ahead(self, paths: Sequence[str]) -> None:
        """Pictures that will be read soon, in this order."""
        self.ranges.ahead([place for path in paths if (place := self.place(path)) is not None])

    def file(self, path: str) -> str | None:
        """None: a picture in a shard is no file of its own."""
        return None

    def place(self, path: str) -> Place | None:
        """Where the bytes of a picture lie; None if there is no such picture."""
        row = self._row_of(path)
        if row is None:
            return None
        shard = int(np.searchsorted(self._firsts, row, side="right")) - 1
        return Place(self._names[shard], int(self.table.starts[row]), int(self.table.sizes[row]))

    def changed(self) -> list[tuple[str, str]]:
        """Shards whose bytes are no longer those that vitcli pack has written, and why; every one is read whole.

        Raises:
            DataError: One cannot be read.
        """
        try:
            return list(changed(self.ranges, self.entries))
        except (OSError, EOFError) as error:
            raise DataError(f"data.root {self.root}: cannot be read ({error}); look at its disk") from error

    def _versions(self) -> NDArray[np.int64]:
        """Another number for each picture whose shard has changed."""
        counts = np.diff(self._firsts)
        shards = np.array([shard.version for shard in self.table.shards], dtype=np.uint64)
        mixed = np.repeat(shards, counts) * np.uint64(SPREAD) + self.table.starts.astype(np.uint64)
        return (mixed >> np.uint64(1)).astype(np.int64)


def _apart(table: Table) -> tuple[Paths, NDArray[np.uint64]]:
    """The paths of all pictures and their hashes; where several have one, each stands behind its shard."""
    order = np.argsort(table.hashes, kind="stable")
    same = table.hashes[order[1:]] == table.hashes[order[:-1]]
    if not same.any():
        return table.paths, table.hashes
    twice = np.unique(np.concatenate([order[1:][same], order[:-1][same]]))
    times = Counter(table.paths.take(twice))
    paths, hashes, firsts = list(table.paths), table.hashes.copy(), table.firsts
    for row in twice.tolist():
        if times[paths[row]] > 1:
            shard = table.shards[int(np.searchsorted(firsts, row, side="right")) - 1]
            paths[row] = f"{shard.name.removesuffix(TAR)}/{paths[row]}"
            hashes[row] = hashed([paths[row]])[0]
    if len(set(paths)) < len(paths):
        path = next(path for path, count in Counter(paths).items() if count > 1)
        raise DataError(f"data.root: {printable(path)!r} names two pictures; rename one of them")
    return Paths.of(paths), hashes
