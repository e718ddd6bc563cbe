"""Splits: which images are for train, val and test, by folder or held out by fraction."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitcli.errors import DataError
from vitcli.images.division.shares import PARTS, Shares
from vitcli.images.index.index import Index

SPLIT_NAMES = {"train": "train", "val": "val", "validation": "val", "valid": "val", "test": "test"}


@dataclass(frozen=True)
class Pool:
    """Labelled files: class by class, rows of an index in natural order. A class whose folder is empty has none.

    Args:
        index: Where the rows are.
        rows: Of each class.
    """

    index: Index
    rows: dict[str, NDArray[np.int64]]

    def __len__(self) -> int:
        return sum(map(len, self.rows.values()))

    @property
    def all_rows(self) -> NDArray[np.int64]:
        """Every row, class by class."""
        rows: NDArray[np.int64] = np.concatenate([*self.rows.values(), as_rows([])])
        return rows

    def count(self, name: str) -> int:
        """How many files a class has."""
        return len(self.rows.get(name, ()))

    def labelled(self, classes: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """All rows in natural order and the position of each one's class; every class is in ``classes``."""
        label = np.full(len(self.index), -1, dtype=np.int64)
        for name, members in self.rows.items():
            label[members] = classes.index(name)
        rows = self.index.order[label[self.index.order] >= 0]
        return rows, label[rows]


def as_rows(rows: Sequence[int]) -> NDArray[np.int64]:
    """Rows as an array, also none of them."""
    return np.array(rows, dtype=np.int64)


def held_out(
    ranks: NDArray[np.uint64], val_fraction: float, test_fraction: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """One class's images as train, val and test, by their positions; the same images on every machine.

    The hash of each path decides, not the order on disk or the versions of libraries. One image at least
    stays in train; val gets one if its fraction is above 0 and there are two.

    Args:
        ranks: Of each image, see Index.ranks.
        val_fraction: Share for val, in [0, 1).
        test_fraction: Share for test, in [0, 1).
    """
    ranked = np.argsort(ranks, kind="stable")
    spare = max(0, len(ranked) - 1)
    val = min(spare, _share(len(ranked), val_fraction))
    test = min(spare - val, _share(len(ranked), test_fraction))
    return np.sort(ranked[val + test :]), np.sort(ranked[:val]), np.sort(ranked[val : val + test])


def _share(count: int, fraction: float) -> int:
    return max(1, math.floor(count * fraction + 0.5)) if fraction > 0 else 0


def split_pools(
    pools: Mapping[str, Pool],
    shares: Shares,
    seed: int,
    divide: Callable[[Pool, Shares, int], list[Pool]] | None = None,
) -> tuple[dict[str, Pool], list[str]]:
    """The images of train, val and test, and what the user should know about how they came about.

    Args:
        pools: What lies on disk: ``all`` for a folder that is not divided, else any of train, val and test.
        shares: What is held out where there is no val; test only where there is no test either.
        seed: Other seeds give other splits.
        divide: How a pool becomes train, val and test; None holds out exact shares of each class.
    """
    notices: list[str] = []
    source = pools.get("all", pools.get("train"))
    if source is None or "val" in pools:
        parts = dict(pools)
    else:
        shares = shares.without_test() if "test" in pools else shares
        parts = dict(zip(PARTS, (divide or _divided)(source, shares, seed), strict=True))
        if "test" in pools:
            parts["test"] = pools["test"]
        if "train" in pools:
            taken = "val and test are" if shares.test else "val is"
            notices.append(f"no val folder: {taken} held out from train ({shares.setting})")
    if not ("test" in parts and len(parts["test"])) and "test" not in pools and "val" in parts and len(parts["val"]):
        parts["test"] = parts["val"]
        notices.append("no test images: testing on val, whose images have already chosen the best checkpoint")
    return parts, notices


def _divided(pool: Pool, shares: Shares, seed: int) -> list[Pool]:
    parts: list[dict[str, NDArray[np.int64]]] = [{}, {}, {}]
    ranks = pool.index.ranks(seed)
    for name, rows in pool.rows.items():
        for part, positions in zip(parts, held_out(ranks[rows], shares.val, shares.test), strict=True):
            part[name] = rows[positions]
    return [Pool(pool.index, part) for part in parts]


def check_known(pool: Pool, classes: Sequence[str], where: str, remedy: str = "rename or remove the folder") -> None:
    """Check that every class on disk is one of the model's.

    Args:
        pool: What lies on disk.
        classes: The model's classes.
        where: Key and value of the folder as typed, with the split.
        remedy: What to do about such a class.

    Raises:
        DataError: A class on disk is none of the model's; the nearest one is named.
    """
    for name in pool.rows:
        if name not in classes:
            near = difflib.get_close_matches(name, classes, n=1, cutoff=0)
            raise DataError(
                f"{where}: class {name!r} is none of the model's {len(classes)} classes, the nearest is "
                f"{near[0]!r}; {remedy}"
            )
