"""Kept rows: which images of a listing have a row in a journal already, and where; some 21 bytes an image."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Self, final

from vitcli.table.columns import Value
from vitcli.table.journal import beside, read_batches


@final
class Kept:
    """The rows of some journals by the positions of their images.

    Args:
        count: How many images the listing has.
        widths: How many numbers each row has in the files beside a journal, by their ending.
    """

    def __init__(self, count: int, widths: Mapping[str, int]) -> None:
        self.widths = dict(widths)
        self.journals: list[Path] = []
        self.rows = 0
        # the largest batch that the net has seen of them
        self.largest = 0
        self._journal = array("i", [-1]) * count
        self._offset = array("q", [0]) * count
        self._number = array("q", [0]) * count
        self._seen = bytearray(count)

    def __len__(self) -> int:
        return len(self._journal)

    def __contains__(self, position: int) -> bool:
        return self._journal[position] >= 0

    def done(self) -> bytes:
        """A byte for each image: 1 where there is a row."""
        return bytes(number >= 0 for number in self._journal)

    def seen(self) -> bytes:
        """A byte for each image: 1 where there is a row, and the net has seen the image."""
        return bytes(self._seen)

    def add(self, journal: Path, places: Sequence[int] | None = None) -> list[int]:
        """Take in the rows of a journal.

        Args:
            journal: The file.
            places: For each position in its listing, that in this one, or -1; None: it is the same listing.

        Returns:
            Positions that had a row already, whose second one is passed over.
        """
        self.journals.append(journal)
        twice = []
        for batch in read_batches(journal, self.widths):
            self.largest = max(self.largest, sum(place.seen for place in batch))
            for place in batch:
                position = place.position if places is None else places[place.position]
                if position < 0:
                    continue
                if position in self:
                    twice.append(position)
                    continue
                self._journal[position] = len(self.journals) - 1
                self._offset[position], self._number[position] = place.offset, place.number
                self._seen[position] = place.seen
                self.rows += 1
        return twice

    def opened(self) -> KeptReader:
        """A reader of the rows, to be used in a with statement."""
        return KeptReader(self)

    def place(self, position: int) -> tuple[int, int, int]:
        """The journal of a row, the offset of its line in bytes, and its number in the journal."""
        return self._journal[position], self._offset[position], self._number[position]


@final
class KeptReader:
    """Reads kept rows; those of one journal fastest in their order.

    Args:
        kept: Where they are.
    """

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._rows: list[IO[bytes]] = []
        self._numbers: dict[str, list[IO[bytes]]] = {name: [] for name in kept.widths}

    def __enter__(self) -> Self:
        for journal in self._kept.journals:
            self._rows.append(journal.open("rb"))
            for name, files in self._numbers.items():
                files.append(beside(journal, name).open("rb"))
        return self

    def __exit__(self, *_: object) -> None:
        for file in (*self._rows, *(file for files in self._numbers.values() for file in files)):
            file.close()

    def values(self, position: int) -> list[Value]:
        """The values of a row."""
        journal, offset, _ = self._kept.place(position)
        file = self._rows[journal]
        file.seek(offset)
        values: list[Value] = json.loads(file.readline())[2:]
        return values

    def numbers(self, position: int, name: str) -> bytes:
        """What a row has in a file beside its journal: float32, little-endian."""
        journal, _, number = self._kept.place(position)
        file, size = self._numbers[name][journal], 4 * self._kept.widths[name]
        file.seek(number * size)
        return file.read(size)

    def all_values(self) -> Iterator[tuple[int, list[Value]]]:
        """Position and values of every row, in the order of the listing."""
        for position in range(len(self._kept)):
            if position in self._kept:
                yield position, self.values(position)
