"""How the images of a root become train, val and test: as its run has kept it, in whole groups, or by fraction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from vitcli.errors import ConfigError
from vitcli.images.division.groups import Groups
from vitcli.images.division.kept import Division
from vitcli.images.division.leaks import told_trained
from vitcli.images.division.shares import Shares
from vitcli.images.division.splits import Pool, split_pools
from vitcli.images.division.whole_groups import divided_whole
from vitcli.images.index.index import Index
from vitcli.names import counted

# settings that do nothing where the splits are known without them
DIVIDING = ("folds", "fold")
DECIDING = ("val_fraction", "test_fraction", "split_seed", *DIVIDING)


@final
class Dividing:
    """The division of a root.

    Args:
        root: As typed, for messages.
        shares: What is divided, and how.
        seed: Other seeds give other splits.
        kept: The division of the run that goes on or is scored, if it has one.
        look: Looks at the files of some rows of an index that were not looked at yet.
    """

    def __init__(
        self,
        root: str,
        shares: Shares,
        seed: int,
        kept: Path | None,
        look: Callable[[Index, NDArray[np.int64]], None],
    ) -> None:
        self.root = root
        self.shares = shares
        self.seed = seed
        self.kept = kept
        self.notices: list[str] = []
        # whether of the images that the kept division knows none is there
        self.has_none = False
        # settings that make no difference to these images, and why
        self.unused: dict[str, str] = {}
        self._look = look
        self._division: Division | None = None
        self._groups: Groups | None = None

    def divide(self, pools: Mapping[str, Pool], groups: Groups | None) -> dict[str, Pool]:
        """The images of train, val and test.

        Args:
            pools: What lies there: ``all`` where it is not divided, else any of train, val and test.
            groups: What stays together, if anything is said to.

        Raises:
            ConfigError: Folds of images that have a val already, or too few groups or images for their shares.
            DataError: The kept division cannot be read.
        """
        if self.shares.folds and "val" in pools:
            raise ConfigError(
                f"data.folds {self.shares.folds}: {self.root} has images for val already; put them to train, "
                "by folder, by the table's split or by data.splits, or leave data.folds out"
            )
        self._division, self._groups = None if self.kept is None else Division.read(self.kept), groups
        if groups is not None and self._division is None:
            self.notices.append(f"{groups.setting}: {counted(len(groups), 'group')}")
        divide: Callable[[Pool, Shares, int], list[Pool]] | None = None
        if self._division is not None:
            self.has_none = self._knows_none(self._division, pools.values())
            divide = partial(self._as_kept, [pool.index for pool in pools.values()])
        elif groups is not None or self.shares.folds:
            divide = self._whole
        parts, notices = split_pools(pools, self.shares, self.seed, divide)
        self.notices += notices
        if "val" in pools or "train" not in parts:
            self._note_unused(f"{self.root} is divided already")
        elif "test" in pools:
            self.unused["data.test_fraction"] = f"{self.root} has images for test already"
        return parts

    def keep(self, parts: Mapping[str, Pool], file: Path) -> None:
        """Write which images are for train, val and test; what an earlier one says of images that are gone stays."""
        (self._division or Division(())).joined(parts, self._groups).write(file)

    def told_trained(self, split: str, parts: Mapping[str, Pool], left_out: Collection[str]) -> list[str]:
        """A line on the images of a split that the run was trained on, if there are any, and if the run is known."""
        if self._division is None or split not in parts:
            return []
        self._look(parts[split].index, parts[split].all_rows)
        return told_trained(split, parts[split], self._division.trained, left_out)

    def _note_unused(self, why: str, names: Sequence[str] = DECIDING) -> None:
        self.unused |= {f"data.{name}": why for name in names}

    def _as_kept(self, indices: Sequence[Index], pool: Pool, shares: Shares, seed: int) -> list[Pool]:
        """A pool as the run has divided it; images that came since go with their groups, or by hashes."""
        assert self._division is not None
        self._look(pool.index, self._division.unsure(pool.index, pool.all_rows))
        parts = self._division.divided(pool, shares, seed, self._groups)
        gone = self._division.gone(indices)
        told, has_new = self._division.compared(parts, gone)
        if told:
            self.notices.append(f"splits as in {self.kept}: {told}")
        self._note_unused(f"{self.kept} says already which split each image is in", DIVIDING if has_new else DECIDING)
        return parts

    def _knows_none(self, division: Division, pools: Collection[Pool]) -> bool:
        """Whether none of the run's images is there, under its name or, where all are named otherwise, another."""
        indices = [pool.index for pool in pools]
        if not division.places or division.has_name(indices):
            return False
        for pool in pools:
            self._look(pool.index, pool.all_rows)
        return division.gone(indices) == len(division.places)

    def _whole(self, pool: Pool, shares: Shares, seed: int) -> list[Pool]:
        """A pool in whole groups; without groups, equal files are found and kept together."""
        if self._groups is None:
            self._look(pool.index, pool.all_rows)
        parts, notices = divided_whole(pool, shares, seed, self._groups)
        self.notices += notices
        return parts
