"""Division in whole groups: folds, or shares by fraction, with no group in two splits; what cannot be is named."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from vitcli.errors import ConfigError
from vitcli.images.division.dealt import dealt
from vitcli.images.division.groups import Groups, kept_together
from vitcli.images.division.shares import PARTS, Shares
from vitcli.images.division.splits import Pool
from vitcli.names import counted, first_of, natural_order, printable

# how far a split may be from its share before it is told, as a factor
FAR = 1.5


def divided_whole(pool: Pool, shares: Shares, seed: int, groups: Groups | None) -> tuple[list[Pool], list[str]]:
    """A pool as train, val and test in whole groups, and what the user should know about it.

    A pure function of seed, paths, classes and groups; without groups, also of which files are equal.

    Args:
        pool: Images; without groups, their contents were looked at.
        shares: What they are divided into.
        seed: Other seeds give other splits.
        groups: What stays together; None: equal files.

    Raises:
        ConfigError: There are too few groups, or a class or a split is left with none.
    """
    names = sorted((name for name, rows in pool.rows.items() if len(rows)), key=natural_order)
    rows = np.concatenate([*(pool.rows[name] for name in names), np.zeros(0, dtype=np.int64)])
    if not len(rows):
        return [Pool(pool.index, dict.fromkeys(pool.rows, rows)) for _ in PARTS], []
    labels = np.repeat(np.arange(len(names)), [len(pool.rows[name]) for name in names])
    together = kept_together(pool.index, rows, groups)
    told = _Told(pool, shares, groups, names, rows, labels, together)
    told.check_enough()
    parts = dealt(labels, together, pool.index.ranks(seed)[rows], [share for _, share in shares.parts])
    told = replace(told, parts=parts)
    told.check_parts()
    splits = np.array([PARTS.index(split) for split, _ in shares.parts], dtype=np.int64)[parts]
    pools = []
    for number in range(len(PARTS)):
        held = dict.fromkeys(pool.rows, np.zeros(0, dtype=np.int64))
        held |= {name: rows[(labels == label) & (splits == number)] for label, name in enumerate(names)}
        pools.append(Pool(pool.index, held))
    return pools, told.notices()


@final
@dataclass(frozen=True)
class _Told:
    """What is to be said of a division: what cannot be, and what is not as one may expect."""

    pool: Pool
    shares: Shares
    groups: Groups | None
    names: list[str]
    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    together: NDArray[np.int64]
    parts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @property
    def key(self) -> str:
        """The setting that an error is about."""
        return self.groups.setting if self.groups else f"data.folds {self.shares.folds}"

    @property
    def count(self) -> int:
        """How many groups there are."""
        return int(self.together.max()) + 1

    def check_enough(self) -> None:
        """Check that there is a group for every part.

        Raises:
            ConfigError: There are fewer.
        """
        count = self.count
        if count < self.shares.count:
            what = "group" if self.groups else "image"
            found = f"only {counted(count, what)}, such as {self._named(0)}"
            if self.shares.folds:
                tested = " and a test share" if self.shares.test else ""
                raise ConfigError(
                    f"{self.key}: {found}, too few for data.folds {self.shares.folds}{tested}; lower data.folds"
                )
            named = ", ".join(split for split, _ in self.shares.parts)
            raise ConfigError(
                f"{self.key}: {found}, too few for {named}; tell more groups apart, or set a fraction to 0"
            )

    def check_parts(self) -> None:
        """Check that every part has images, and training images of every class.

        Raises:
            ConfigError: One has none.
        """
        for label in np.flatnonzero(~self._trains()).tolist():
            self._refuse(label)
        for part, (split, _) in enumerate(self.shares.parts):
            if not self.shares.folds and not (self.parts == part).any():
                raise ConfigError(
                    f"data.{split}_fraction {getattr(self.shares, split)}: no group is left for {split}, of "
                    f"{self.count} ({self.key}); raise it, set it to 0, or use data.folds"
                )

    def _trains(self) -> NDArray[np.bool_]:
        """Whether training images are left of each class, whichever fold is val."""
        found = np.zeros((len(self.names), len(self.shares.parts)), dtype=bool)
        found[self.labels, self.parts] = True
        own = [place for place, (split, _) in enumerate(self.shares.parts) if split != "test"]
        if self.shares.folds:
            return np.asarray(found[:, own].sum(axis=1) >= 2)
        return found[:, 0]

    def _refuse(self, label: int) -> None:
        """Say why no training images of a class are left.

        Raises:
            ConfigError: Always.
        """
        own = self.labels == label
        members = np.flatnonzero(own)
        held = len(np.unique(self.together[own]))
        where = "where they are in val" if self.shares.folds else "beside val and test"
        what = f"class '{printable(self.names[label])}'"
        if held > 1:
            raise ConfigError(
                f"{self.key}: all {counted(held, 'group')} of {what} came into one part, and none is left to train on "
                f"{where}; try another data.split_seed"
            )
        if self.groups and len(members) > 1:
            raise ConfigError(
                f"{self.key}: all {len(members):,} images of {what} are in one group, {self._named(members[0])}, and "
                f"none is left to train on {where}; tell more groups apart, or leave the class out"
            )
        one = "1 image" if len(members) == 1 else f"{len(members):,} equal images"
        raise ConfigError(
            f"{self.key}: {what} has only {one}, {self._path(members[0])}, and none is left to train on {where}; add "
            "some, or leave the class out"
        )

    def notices(self) -> list[str]:
        """What is not as one may expect, a line each."""
        return [text for text in (self._few(), self._uneven()) if text]

    def _few(self) -> str:
        """Classes that some fold has nothing of."""
        if not self.shares.folds:
            return ""
        count = self.count
        held = np.bincount(np.unique(self.labels * count + self.together) // count, minlength=len(self.names))
        found = [
            f"{printable(self.names[label])} ({counted(int(held[label]), 'group' if self.groups else 'image')})"
            for label in np.flatnonzero(held < self.shares.folds).tolist()
        ]
        return f"data.folds {self.shares.folds}: not every fold has images of {first_of(found)}" if found else ""

    def _uneven(self) -> str:
        """Parts far from their shares, because groups stay whole."""
        sizes = np.bincount(self.parts, minlength=len(self.shares.parts))
        largest = np.bincount(self.together)
        first = int(np.flatnonzero(self.together == int(largest.argmax()))[0])
        why = f"{self._named(first)} alone has {int(largest.max()):,}, and groups stay whole"
        if self.shares.folds:
            folds = [int(size) for size, (split, _) in zip(sizes, self.shares.parts, strict=True) if split != "test"]
            return "" if max(folds) <= FAR * min(folds) else f"folds of {min(folds):,} to {max(folds):,} images: {why}"
        for size, (split, share) in zip(sizes.tolist(), self.shares.parts, strict=True):
            target = share * len(self.parts)
            if split != "train" and not target / FAR <= size <= target * FAR and abs(size - target) > 1:
                return f"{split} has {size:,} of {len(self.parts):,} images (data.{split}_fraction {share:g}): {why}"
        return ""

    def _path(self, member: int) -> str:
        return printable(self.pool.index.paths[int(self.rows[member])])

    def _named(self, member: int) -> str:
        """The group of an image, with its path as an example."""
        path = self.pool.index.paths[int(self.rows[member])]
        name = self.groups.of(path) if self.groups else ""
        return f"'{printable(name)}' ({printable(path)})" if name else printable(path)
