"""Division of a run: the split of each image at its training, kept as splits.csv, whatever is added or renamed."""

from __future__ import annotations

import csv
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from vitcli.errors import DataError
from vitcli.images.division.groups import Groups
from vitcli.images.division.shares import PARTS, Shares
from vitcli.images.division.splits import Pool
from vitcli.images.index.facts import NOTHING
from vitcli.images.index.index import Index
from vitcli.machine.atomic import replacing
from vitcli.names import counted

HEADING = ("path", "split", "digest")
# a column more, where images have groups
GROUP = "group"
Place = tuple[str, str, str, str]
UNKNOWN_PLACE = ("", "", "")


@final
class Division:
    """Which images a run has for train, val and test, by path, and by content for those that were renamed since.

    Args:
        places: Path below the root, split, digest of the content in hexadecimal, and group; the last two are empty
            where unknown.
    """

    def __init__(self, places: Iterable[Place]) -> None:
        self.places = {path: (split, digest, group) for path, split, digest, group in places}
        self._composed = {unicodedata.normalize("NFC", path): path for path in self.places}
        self._content: dict[str, str] = {}
        self._grouped: dict[str, str] = {}
        for split, digest, group in self.places.values():
            # of a file, or a group, that lies in several splits, one copy at least was trained on
            for key, known in ((digest, self._content), (group, self._grouped)):
                if key and known.get(key) != "train":
                    known[key] = split

    @classmethod
    def read(cls, file: Path) -> Self | None:
        """The division that write has kept; None if there is no such file, as in runs of earlier versions.

        Raises:
            DataError: It cannot be read, or is no such table.
        """
        try:
            with file.open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
                rows = csv.reader(lines)
                heading = tuple(next(rows, ()))
                if heading not in (HEADING, (*HEADING, GROUP)):
                    raise ValueError(f"its heading is not {','.join(HEADING)}")
                without = () if GROUP in heading else ("",)
                filled = ((*row, *without) for row in rows)
                places = [(path, split, digest, group) for path, split, digest, group in filled]
            if unknown := next((split for _, split, _, _ in places if split not in PARTS), None):
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
            columns = len(HEADING) + bool(self._grouped)
            out.writerow((*HEADING, GROUP)[:columns])
            out.writerows((path, *place)[:columns] for path, place in self.places.items())

    def joined(self, parts: Mapping[str, Pool], groups: Groups | None = None) -> Division:
        """The same with images that came to it since; those that are gone stay known, and so does what was trained on.

        Args:
            parts: Images of train, val and test.
            groups: Of the images, if there are some.
        """
        places = dict(self.places)
        for split, pool in parts.items():
            for path, digest in _members(pool):
                before = places.get(path, UNKNOWN_PLACE)
                content = digest.hex() if digest != NOTHING else before[1]
                # a table may say another split now, which makes no image one that the run has not seen
                is_trained = before[0] == "train" and before[1] in ("", content)
                places[path] = ("train" if is_trained else split, content, groups.of(path) if groups else before[2])
        return Division((path, *place) for path, place in places.items())

    @property
    def trained(self) -> set[str]:
        """Digests of what the images of train hold, in hexadecimal, as far as they are known."""
        return {digest for digest, split in self._content.items() if split == "train"}

    def unsure(self, index: Index, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of some rows whose contents decide: new paths, and what val and test would score."""
        paths = index.paths.take(rows)
        chosen: NDArray[np.int64] = rows[np.array([self.place(path)[0] != "train" for path in paths], dtype=bool)]
        return chosen

    def place(self, path: str) -> tuple[str, str]:
        """Split and digest of an image by its path, however its letters are composed; both empty for a new one."""
        known = path if path in self.places else self._composed.get(unicodedata.normalize("NFC", path), "")
        return self.places.get(known, UNKNOWN_PLACE)[:2]

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

    def divided(self, pool: Pool, shares: Shares, seed: int, groups: Groups | None = None) -> list[Pool]:
        """A pool as train, val and test: known images stay, new ones go with their group, or as a hash decides.

        The hash is of the group's name, or of the path of an image without one.

        Args:
            pool: Images; the contents of the new ones were looked at.
            shares: Of the new ones.
            seed: Other seeds give other splits.
            groups: Of the images, if there are some.
        """
        index, ranks = pool.index, pool.index.ranks(seed)
        found: dict[str, dict[str, list[int]]] = {part: {name: [] for name in pool.rows} for part in PARTS}
        for name, rows in pool.rows.items():
            for row, path in zip(rows.tolist(), index.paths.take(rows), strict=True):
                split = self.split_of(path, index.columns["digest"][row].tobytes())
                if not split and groups is not None:
                    lot = groups.lot(path, seed)
                    split = self._grouped.get(groups.of(path)) or ("" if lot is None else shares.split_of(lot))
                found[split or shares.split_of(int(ranks[row]) / 2**64)][name].append(row)
        return [
            Pool(index, {name: np.array(rows, dtype=np.int64) for name, rows in found[part].items()}) for part in PARTS
        ]

    def compared(self, parts: list[Pool], gone: int) -> tuple[str, bool]:
        """What differs from the run's training, in words, empty if nothing does; and whether any image is new.

        Args:
            parts: Images of train, val and test.
            gone: How many images are.
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
        if gone:
            said.append(f"{counted(gone, 'image')} gone")
        return ", ".join(said), bool(new)

    def has_name(self, indices: Iterable[Index]) -> bool:
        """Whether any known image lies there under its name; the first one that does ends the search.

        Args:
            indices: All that lies there.
        """
        paths = (path for index in indices for path in index.paths.take(np.arange(len(index))))
        return any(unicodedata.normalize("NFC", path) in self._composed for path in paths)

    def gone(self, indices: Collection[Index]) -> int:
        """How many known images are no longer there, under their name or, as far as was looked, under another.

        Args:
            indices: All that lies there.
        """
        missing = set(self._composed)
        for index in indices:
            missing.difference_update(
                unicodedata.normalize("NFC", path) for path in index.paths.take(np.arange(len(index)))
            )
        if not missing:
            return 0
        contents = {digest.hex() for index in indices for digest in index.columns["digest"].tolist()}
        return sum(self.places[self._composed[name]][1] not in contents for name in missing)


def _members(pool: Pool) -> Iterator[tuple[str, bytes]]:
    """Path and digest of every image of a pool, class by class."""
    for rows in pool.rows.values():
        yield from zip(pool.index.paths.take(rows), pool.index.columns["digest"][rows].tolist(), strict=True)
