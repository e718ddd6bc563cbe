"""Division of a run: the split of each image at its training, kept as splits.csv, whatever is added or renamed."""

from __future__ import annotations

import csv
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from vitcli.errors import DataError
from vitcli.images.index.facts import NOTHING
from vitcli.images.index.index import Index
from vitcli.images.index.splits import PARTS, Pool
from vitcli.machine.atomic import replacing
from vitcli.names import counted

HEADING = ("path", "split", "digest")
Place = tuple[str, str, str]


@final
class Division:
    """Which images a run has for train, val and test, by path, and by content for those that were renamed since.

    Args:
        places: Path below the root, split, and digest of the content in hexadecimal, empty where unknown.
    """

    def __init__(self, places: Iterable[Place]) -> None:
        self.places = {path: (split, digest) for path, split, digest in places}
        self._composed = {unicodedata.normalize("NFC", path): path for path in self.places}
        self._content: dict[str, str] = {}
        for split, digest in self.places.values():
            # of a file that lies in several splits, one copy at least was trained on
            if digest and self._content.get(digest) != "train":
                self._content[digest] = split

    @classmethod
    def read(cls, file: Path) -> Self | None:
        """The division that write has kept; None if there is no such file, as in runs of earlier versions.

        Raises:
            DataError: It cannot be read, or is no such table.
        """
        try:
            with file.open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
                rows = csv.reader(lines)
                if tuple(next(rows, ())) != HEADING:
                    raise ValueError(f"its heading is not {','.join(HEADING)}")
                places = [(path, split, digest) for path, split, digest in rows]
            if unknown := next((split for _, split, _ in places if split not in PARTS), None):
                raise ValueError(f"{unknown!r} is no split")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, csv.Error) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise DataError(f"{file}: cannot be read as the division of a run ({reason}); restore it") from error
        return cls(places)

    def write(self, file: Path) -> None:
        """Keep the division in a file, in place of an earlier one."""
        with (
            replacing(file) as part,
            part.open("w", encoding="utf-8", errors="surrogateescape", newline="") as lines,
        ):
            # its line end is quoted where a name holds it, and so is that of other systems
            out = csv.writer(lines, lineterminator="\r\n")
            out.writerow(HEADING)
            out.writerows((path, *place) for path, place in self.places.items())

    def joined(self, parts: Mapping[str, Pool]) -> Division:
        """The same with images that came to it since; those that are gone stay known."""
        places = dict(self.places)
        for split, pool in parts.items():
            for path, digest in _members(pool):
                content = digest.hex() if digest != NOTHING else places.get(path, ("", ""))[1]
                places[path] = (split, content)
        return Division((path, *place) for path, place in places.items())

    def unsure(self, index: Index, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of some rows whose contents decide: new paths, and what val and test would score."""
        paths = index.paths.take(rows)
        chosen: NDArray[np.int64] = rows[np.array([self.place(path)[0] != "train" for path in paths], dtype=bool)]
        return chosen

    def place(self, path: str) -> tuple[str, str]:
        """Split and digest of an image by its path, however its letters are composed; both empty for a new one."""
        known = path if path in self.places else self._composed.get(unicodedata.normalize("NFC", path), "")
        return self.places.get(known, ("", ""))

    def split_of(self, path: str, digest: bytes) -> str:
        """The split of an image, also of one that was renamed, or copied; empty for a new one.

        Args:
            path: Below the root.
            digest: Of its content, or NOTHING.
        """
        split, content = self.place(path)
        if digest == NOTHING or digest.hex() == content:
            return split
        # files whose names were exchanged are known by what they hold
        return (self._content.get(digest.hex()) or split) if content or not split else split

    def divided(self, pool: Pool, val_fraction: float, test_fraction: float, seed: int) -> list[Pool]:
        """A pool as train, val and test: known images stay where they are, the hash of its path decides on a new one.

        Args:
            pool: Images; the contents of the new ones were looked at.
            val_fraction: Share of the new ones for val, in [0, 1).
            test_fraction: Share of the new ones for test, in [0, 1).
            seed: Other seeds give other splits.
        """
        index, ranks = pool.index, pool.index.ranks(seed)
        found: dict[str, dict[str, list[int]]] = {part: {name: [] for name in pool.rows} for part in PARTS}
        for name, rows in pool.rows.items():
            for row, path in zip(rows.tolist(), index.paths.take(rows), strict=True):
                split = self.split_of(path, index.columns["digest"][row].tobytes())
                if not split:
                    lot = int(ranks[row]) / 2**64
                    split = "val" if lot < val_fraction else "test" if lot < val_fraction + test_fraction else "train"
                found[split][name].append(row)
        return [
            Pool(index, {name: np.array(rows, dtype=np.int64) for name, rows in found[part].items()}) for part in PARTS
        ]

    def told(self, parts: list[Pool]) -> str:
        """What differs from the run's training, in words; empty if nothing does.

        Args:
            parts: Images of train, val and test.
        """
        new: Counter[str] = Counter()
        moved = 0
        for split, part in zip(PARTS, parts, strict=True):
            for path, digest in _members(part):
                if self.place(path)[0] == split:
                    continue
                if self.split_of(path, digest):
                    moved += 1
                else:
                    new[split] += 1
        said = []
        if new:
            shares = ", ".join(f"{new[split]:,} in {split}" for split in PARTS if new[split])
            said.append(f"{counted(new.total(), 'new image')} ({shares})")
        if moved:
            said.append(f"{counted(moved, 'image')} renamed or copied")
        return ", ".join(said)


def _members(pool: Pool) -> Iterator[tuple[str, bytes]]:
    """Path and digest of every image of a pool, class by class."""
    for rows in pool.rows.values():
        yield from zip(pool.index.paths.take(rows), pool.index.columns["digest"][rows].tolist(), strict=True)
