"""ShardsData: tars as WebDataset writes them, pictures with their labels beside them, as labelled splits."""

from __future__ import annotations

from collections import Counter
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from vitcli.data.batches.datamodule import Split
from vitcli.data.layouts.labelled import LabelledFiles
from vitcli.errors import DataError
from vitcli.images.division.class_names import check_class_names
from vitcli.images.division.shares import PARTS
from vitcli.images.division.split_tables import table_splits
from vitcli.images.division.split_words import split_like
from vitcli.images.division.splits import Pool, check_known
from vitcli.images.index.listing import Listing
from vitcli.images.source.ranges import Ranges
from vitcli.images.source.shards.found import MOST_FOLDERS
from vitcli.images.source.shards.labels import Labels, Where, labels_of, standing
from vitcli.images.source.shards.shards import Shards
from vitcli.images.source.shards.table import NONE
from vitcli.names import first_of, is_url, natural_order

# of a picture in a tar that names no split, while others do
NOWHERE = -1


@final
class ShardsData(LabelledFiles):
    """Pictures in tar shards, ``key.jpg`` beside ``key.cls``, ``key.json`` or ``key.txt``, as WebDataset writes them.

    Each picture is read by its place in its tar, so that the order is that of the same pictures in a folder. A number
    as a label is named by ``classes.txt`` or ``classes.json`` beside the tars, if there is one. Tars named by split
    (``train-000.tar``, ``val/000.tar``) are of that one; else val and test are held out by fraction.

    Args:
        root: Folder of the tars, one tar, or a pattern such as ``photos/{000..012}.tar``.
        labels: Where the label stands: cls, json, txt, folder (the first folder of the key); auto: where it does for
            all pictures.
        label_field: The field of the JSON that holds the label; null: label, class or cls.
        **options: What all labelled files take.

    Raises:
        ConfigError: A number out of range.
    """

    def __init__(self, root: str, labels: Where = "auto", label_field: str | None = None, **options: Any) -> None:
        super().__init__(root, **options)
        self.labels: Where = labels
        self.label_field = label_field
        self._labels: Labels | None = None
        self._parted: tuple[list[str], NDArray[np.int8]] | None = None

    @property
    def source(self) -> Shards:
        """Where the pictures lie.

        Raises:
            DataError: There are no shards, or one is damaged.
        """
        if self._source is None:
            far: Ranges | None = None
            if is_url(self.root):
                from vitcli.images.source.remote.ranges import RemoteRanges

                far = RemoteRanges(self.root, self.remote)
            self._source = Shards(self.root, self.label_field or "", self.kept_in, far)
        assert isinstance(self._source, Shards)
        return self._source

    def find_classes(self) -> tuple[str, ...]:
        """Names of the labels of train, or of all pictures, in natural order; no picture is looked at.

        Raises:
            DataError: As labels are found, or there are fewer than two.
        """
        labels, (parts, part) = self.found_labels(), self.found_splits()
        codes = labels.codes[part == parts.index("train")] if "train" in parts else labels.codes
        used = [labels.words[code] for code in np.unique(codes).tolist() if code != NONE]
        names = sorted(set(map(self.named, used)), key=natural_order)
        if len(names) < 2:
            found = f"only the label {names[0]!r}" if names else "no labels"
            where = (
                "in key.cls, key.json, key.txt or folders" if self.labels == "auto" else f"in data.labels {self.labels}"
            )
            raise DataError(
                f"data.root {self.root}: {found} {where}{' for train' if 'train' in parts else ''}; a classifier needs "
                "two classes; pictures without labels are read by UnlabelledData"
            )
        check_class_names(names, f"data.root {self.root}")
        return tuple(names)

    def found_labels(self) -> Labels:
        """The label of each picture.

        Raises:
            DataError: They contradict each other.
        """
        if self._labels is None:
            where = standing(self.source, self.labels)
            self._labels = labels_of(self.source, where, self._split_folders() if where == "folder" else {})
            if self._labels.told:
                self._notice(self._labels.told)
        return self._labels

    def found_splits(self) -> tuple[list[str], NDArray[np.int8]]:
        """The splits that there are, ``all`` where there are none, and the place among them of each picture's.

        By the names of the tars; where these say nothing and the folders are the labels, by folders above these.
        """
        if self._parted is None:
            shards = self.source.table.shards
            splits = table_splits([shard.name for shard in shards]).splits
            named = [splits.get(shard.name, "") for shard in shards]
            folders = {} if any(named) or standing(self.source, self.labels) != "folder" else self._split_folders()
            if any(folders.values()):
                named = [folders[path.partition("/")[0]] for path in self.source.paths]
            parts = [part for part in PARTS if part in named] or ["all"]
            places = {part: place for place, part in enumerate(parts)}
            codes = np.array([places.get(name or "all", NOWHERE) for name in named], dtype=np.int8)
            whole = len(codes) == len(shards) and not any(folders.values())
            self._parted = parts, np.repeat(codes, [shard.rows for shard in shards]) if whole else codes
        return self._parted

    def _split_folders(self) -> dict[str, str]:
        """The split of each first folder of the keys, where all of them are named like splits."""
        firsts = {path.partition("/")[0] if "/" in path else "" for path in self.source.paths}
        like = split_like(sorted(firsts)) if len(firsts) <= MOST_FOLDERS else {}
        return like if like.keys() == firsts else {}

    def read_pools(self) -> dict[str, Pool]:
        """What lies there: ``all`` where no tar names a split, else any of train, val and test."""
        labels, (parts, part) = self.found_labels(), self.found_splits()
        index = self.index()
        names = [self.named(word) for word in labels.words]
        classes = list(dict.fromkeys(names))
        # in natural order, as a pool has them; and one class may be spelled in several ways
        codes = np.array([*(classes.index(name) for name in names), NONE])[labels.codes[index.order]]
        part = part[index.order]
        pools = {}
        for place, name in enumerate(parts):
            held = np.where(part == place, codes, NONE)
            by_class = np.argsort(held, kind="stable")
            used, firsts = np.unique(held[by_class], return_index=True)
            rows = np.split(index.order[by_class], firsts[1:])
            pools[name] = Pool(
                index, {classes[code]: of for code, of in zip(used.tolist(), rows, strict=True) if code != NONE}
            )
        left_out = index.left_out + Counter({"picture without a label": int((codes == NONE).sum())})
        left_out["picture in a tar whose name says no split"] = int((part == NOWHERE).sum())
        self.say_left_out(self.source.where(), +left_out)
        if self._of_group is not None:
            inside = {split: folder for folder, split in self._split_folders().items()}
            self.folders = {name: inside[name] for name in parts if name in inside}
        return pools

    def list_split(self, split: Split) -> Listing:
        """The pictures of a split; predict lists those of all, and those without a label too.

        Raises:
            DataError: The split has no pictures, a label is none of the model's, or one of these has no picture.
        """
        if split == "predict":
            labels, index = self.found_labels(), self.index()
            names = (
                None if code == NONE else self.named(labels.words[code]) for code in labels.codes[index.order].tolist()
            )
            return self.listing_of_all(index, names, self.classes)
        if not self.classes:
            self.classes = self.find_classes()
        parts = self.parts(split)
        if split not in parts or (split == "test" and not len(parts[split])):
            raise DataError(
                f"data.root {self.root}: no pictures for {split}; add a tar such as {split}-000000.tar"
                + ("" if split == "train" else f", or raise data.{split}_fraction")
            )
        check_known(parts[split], self.classes, f"data.root {self.root}, {split}", "pack them with other labels")
        empty = [name for name in self.classes if not parts[split].count(name)]
        if split == "train" and empty:
            raise DataError(f"data.root {self.root}: no pictures for train of {first_of(empty)}; add some")
        self.say_empty(split, empty)
        return self.listing_of(parts[split], self.classes)
