"""LabelledFiles: the base of all labelled files on disk: their index, splits, and the inspection of every file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitcli.data.batches.datamodule import Split
from vitcli.data.module import ImageData
from vitcli.errors import DataError
from vitcli.images.division.class_names import ClassNames, check_class_names
from vitcli.images.division.dividing import Dividing
from vitcli.images.division.groups import Groups, compiled
from vitcli.images.division.leaks import told_leaks
from vitcli.images.division.shares import Shares
from vitcli.images.division.splits import Pool, as_rows
from vitcli.images.index.index import Index, index_file, scan
from vitcli.images.index.left_out import REMEDIES, what_to_do
from vitcli.images.index.listing import UNKNOWN, FileOpener, Listing, list_files
from vitcli.images.index.look_through import look_through
from vitcli.images.source.open import open_source
from vitcli.images.source.remote.options import REMOTE, Remote, unused
from vitcli.images.source.roots import one_path
from vitcli.images.source.source import Source
from vitcli.images.source.walk import IMAGE_EXTENSIONS
from vitcli.machine.threads import cores
from vitcli.names import absolute, counted, first_of


class LabelledFiles(ImageData, ABC):
    """Files with labels, split as they are on disk, by fraction, or into folds.

    Args:
        root: Where the files are.
        val_fraction: Share of each class that is held out for val where there is no val, in [0, 1).
        test_fraction: Share of each class that is held out for test where there is neither val nor test, in [0, 1);
            null: 0.1, and with folds 0.
        split_seed: Other seeds hold out other images; it belongs to the data, not to the run.
        folds: Number of folds of a cross-validation, into which what is not for test is divided class by class; equal
            files are in one fold.
        fold: Which of the folds is val, from 1 on; the others are for training.
        group_pattern: A regular expression, searched for in the path below the root or the split's folder, whose group
            1, or else all that it matches, names the group of an image; images of one group are never in two splits.
        follow_links: Whether links are followed, each file and folder that they lead to once.
        remote: How an object store is read, where the root is an address (``s3://``, ``gs://``, ``az://``,
            ``https://``, ``hf://``).
        **options: What all image data take.

    Raises:
        ConfigError: A number out of range.
    """

    def __init__(
        self,
        root: str,
        val_fraction: float = 0.1,
        test_fraction: float | None = None,
        split_seed: int = 0,
        folds: int | None = None,
        fold: int | None = None,
        group_pattern: str | None = None,
        follow_links: bool = False,
        remote: Remote = REMOTE,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.shares = Shares.of(val_fraction, test_fraction, folds, fold)
        self.root = one_path(root, type(self).__name__)
        self.val_fraction = val_fraction
        self.test_fraction = test_fraction
        self.split_seed = split_seed
        self.group_pattern = group_pattern
        self._of_group = compiled(group_pattern)
        self.follow_links = follow_links
        self.remote = remote
        self.unused |= unused(self.root)
        # of each folder, what is none of its images, and why
        self.passed_over: dict[str, Counter[str]] = {}
        self._source: Source | None = None
        self._indices: dict[str, Index] = {}
        # what read_pools found, once it was asked
        self.pools: dict[str, Pool] = {}
        # and beside: the folder of a split, and the groups that are known without a pattern
        self.folders: dict[str, str] = {}
        self.groups: Groups | None = None
        self._dividing: Dividing | None = None
        self._class_names: ClassNames | None = None
        self._parts: dict[str, Pool] = {}

    @abstractmethod
    def read_pools(self) -> dict[str, Pool]:
        """What lies there: ``all`` where it is not divided, else any of train, val and test.

        Raises:
            DataError: It cannot be listed.
        """

    @property
    def source(self) -> Source:
        """Where the files lie.

        Raises:
            DataError: There is no such folder or archive.
        """
        if self._source is None:
            self._source = open_source(self.root, self.follow_links, self.kept_in, self.remote)
        return self._source

    @property
    def named(self) -> ClassNames:
        """The class that a label names."""
        if self._class_names is None:
            self._class_names = ClassNames(self.classes)
        return self._class_names

    @property
    def place(self) -> str:
        """Where the images come from, in a word."""
        return absolute(self.root)

    def index(self, inside: str = "") -> Index:
        """The images below a folder of the source, scanned once.

        Raises:
            DataError: A folder cannot be listed.
        """
        if inside not in self._indices:
            file = index_file(self.kept_in, self.source, inside, self.max_pixels, self.preprocess.white)
            self._indices[inside] = scan(self.source, inside, IMAGE_EXTENSIONS, file)
        return self._indices[inside]

    def pool(self, inside: str, label: Callable[[str], str | None]) -> tuple[Pool, int]:
        """The images below a folder by their labels, and how many have none.

        Args:
            inside: The folder.
            label: The label of a path below it.
        """
        index = self.index(inside)
        start = len(inside) + 1 if inside else 0
        rows: dict[str, list[int]] = {}
        unlabelled = 0
        for row, path in zip(index.order.tolist(), index.paths.take(index.order), strict=True):
            name = label(path[start:])
            if name is None:
                unlabelled += 1
            else:
                rows.setdefault(name, []).append(row)
        return Pool(index, {name: as_rows(members) for name, members in rows.items()}), unlabelled

    def parts(self, split: Split) -> dict[str, Pool]:
        """The images of train, val and test; notices about a split are kept for the user."""
        parts, dividing = self._divided()
        for text in dividing.notices:
            if split == "test" or "testing on val" not in text:
                self._notice(text)
        return parts

    def _divided(self) -> tuple[dict[str, Pool], Dividing]:
        """The pools of all splits, and how they came about; found once."""
        if self._dividing is None:
            self.pools = self.read_pools()
            labels = {name for pool in self.pools.values() for name in pool.rows}
            check_class_names(sorted(labels - set(self.classes)), f"data.root {self.root}")
            for text in self.named.notices:
                self._notice(text)
            if self._of_group is not None:
                self.groups = Groups.found_by(self._of_group, self.pools, self.folders)
            dividing = Dividing(self.root, self.shares, self.split_seed, self.kept_division, self._look)
            self._parts = dividing.divide(self.pools, self.groups)
            self._dividing = dividing
            self.unused |= dividing.unused
        return self._parts, self._dividing

    def _own_parts(self) -> dict[str, Pool]:
        """The splits, without a test that is val."""
        parts = dict(self._divided()[0])
        if parts.get("test") is parts.get("val"):
            parts.pop("test", None)
        return parts

    @property
    def are_others(self) -> bool:
        """Whether none of the images is there that the run of ``kept_division`` has divided."""
        return self._divided()[1].has_none

    def keep_division(self, file: Path) -> None:
        """Write which images are for train, val and test; what an earlier one says of images that are gone stays.

        Args:
            file: The table, which becomes ``kept_division`` of another command's data.
        """
        self._divided()[1].keep(self._own_parts(), file)

    def listing_of(self, pool: Pool, classes: tuple[str, ...]) -> Listing:
        """The images of a pool, labelled by their places among the classes."""
        rows, labels = pool.labelled(classes)
        return list_files(FileOpener(self.source, (), self.max_pixels, self.quarantined), pool.index, rows, labels)

    def listing_of_all(self, index: Index, names: Iterable[str | None], classes: tuple[str, ...]) -> Listing:
        """Every image of an index, for predict; its label is unknown where it has none that the model knows.

        Args:
            index: The images.
            names: The label of each, in natural order; None where it has none.
            classes: The model's.

        Raises:
            DataError: There are no images.
        """
        if not len(index):
            remedy = what_to_do(index.left_out) or "name a folder, an archive or a table of images"
            raise DataError(f"data.root {self.root}: no images in it; {remedy}")
        places = {name: place for place, name in enumerate(classes)}
        labels = np.array([places.get(name, UNKNOWN) if name is not None else UNKNOWN for name in names], np.int64)
        if unknown := int((labels == UNKNOWN).sum()):
            self._notice(f"{counted(unknown, 'image')} with no label that the model knows: predicted without one")
        opener = FileOpener(self.source, (), self.max_pixels, self.quarantined)
        return list_files(opener, index, index.order, labels)

    def say_empty(self, part: str, empty: Sequence[str]) -> None:
        """Note which classes have no image in a split that may do without."""
        if part == "val" and len(empty) == len(self.classes):
            self._notice("no images in val: training goes on without validation")
        elif empty:
            self._notice(f"no images in {part} of {first_of(empty)}")

    def look_through(self, split: Split) -> None:
        """Inspect every file of a split that was not inspected yet, so that unreadable ones are known."""
        listing = self.listing(split)
        assert listing.index is not None
        assert listing.rows is not None
        self._look(listing.index, listing.rows)

    def look_at_all(self) -> dict[str, Pool]:
        """Every split, each of its files inspected, whatever may be wrong with its classes.

        Raises:
            DataError: The files cannot be listed.
        """
        parts = self._own_parts()
        for pool in parts.values():
            self._look(pool.index, pool.all_rows)
        return parts

    def look_for_leaks(self) -> None:
        """Note for the user which images, and which groups, lie in train and in val or test too."""
        left_out = {path for found in self.left_out.values() for path in found} | self.quarantined
        for text in told_leaks(self._own_parts(), self.groups, left_out, self._look, self.root):
            self._notice(text)

    def look_for_trained(self, split: Split) -> None:
        """Note for the user which images of a split the run was trained on."""
        for text in self._divided()[1].told_trained(split, self._own_parts(), self.quarantined):
            self._notice(text)

    def _look(self, index: Index, rows: NDArray[np.int64]) -> None:
        inside = next(name for name, known in self._indices.items() if known is index)
        file = index_file(self.kept_in, self.source, inside, self.max_pixels, self.preprocess.white)
        look_through(
            index,
            rows,
            self.source,
            max_pixels=self.max_pixels,
            white=self.preprocess.white,
            threads=cores(),
            kept=file,
        )

    def say_left_out(self, where: str, more: Counter[str]) -> None:
        """Note what of a folder is left out, and why."""
        self.passed_over[where] = +more
        if text := self._told_left_out(where):
            self._notice(text)

    def _told_left_out(self, where: str) -> str:
        found = self.passed_over[where].most_common()
        said = [f"{count} ({reason}{REMEDIES.get(reason, '')})" for reason, count in found]
        return f"left out of {where}: {', '.join(said)}" if said else ""

    @property
    def other_notices(self) -> list[str]:
        """All notices but those of what is left out."""
        left_out = set(map(self._told_left_out, self.passed_over))
        return [text for text in self.notices if text not in left_out]
