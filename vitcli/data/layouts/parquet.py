"""ParquetData: rows of Parquet files and of saved Hugging Face datasets, an image and its label, as labelled splits."""

from __future__ import annotations

from collections import Counter
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from vitcli.data.batches.datamodule import Split
from vitcli.data.layouts.group_column import GROUP, check_group_column, groups_of_column
from vitcli.data.layouts.labelled import LabelledFiles
from vitcli.errors import DataError
from vitcli.images.division.class_names import check_class_names
from vitcli.images.division.split_tables import table_splits
from vitcli.images.division.splits import Pool, check_known
from vitcli.images.index.index import Index
from vitcli.images.index.listing import Listing
from vitcli.images.source.entries import Entry
from vitcli.images.source.numbered import numbered_names
from vitcli.images.source.ranges import Ranges
from vitcli.images.source.tables.columns import Images, Labels, find_group, find_images, find_labels
from vitcli.images.source.tables.labels import NONE, labels_of, texts_of
from vitcli.images.source.tables.listed import open_tables
from vitcli.images.source.tables.table import Table
from vitcli.images.source.tables.tables import Tables
from vitcli.names import first_of, natural_order, printable


@final
class ParquetData(LabelledFiles):
    """Images in the rows of Parquet files, or of a dataset that Hugging Face's datasets has saved, with their labels.

    An image is the bytes of its file, or a struct of ``bytes`` and ``path`` as ``datasets`` writes it. Labels are
    texts, or numbers that the schema names, or else ``classes.txt`` or ``classes.json`` beside the tables. Tables named
    by split (``train-00000-of-00002.parquet``, ``validation/0000.parquet``) are of that one; else val and test are held
    out by fraction. Images that lie compressed are laid out once in ``cache_dir``.

    Args:
        root: A table, a folder of tables, a pattern such as ``photos/train-*.parquet``, the folder of a saved dataset,
            or one on the hub, ``hf://datasets/OWNER/NAME``.
        image_column: Name of the column with the images; null: the only one of such a kind, or the one called image.
        label_column: Name of the column with the labels; null: the one of classes, or the one called label.
        group_column: Name of the column with the groups, if the tables have it: rows of one group are never divided
            between splits; a row without one is a group of its own.
        **options: What all labelled files take.

    Raises:
        ConfigError: A number out of range.
    """

    def __init__(
        self,
        root: str,
        image_column: str | None = None,
        label_column: str | None = None,
        group_column: str = GROUP,
        **options: Any,
    ) -> None:
        super().__init__(root, **options)
        self.image_column = image_column
        self.label_column = label_column
        self.group_column = group_column
        check_group_column(group_column, self.group_pattern)
        self._ranges: Ranges | None = None
        self._tables: list[Entry] = []
        self._opened: list[Table] = []
        self._splits: dict[str, str] = {}
        self._names: dict[int, str] = {}

    @property
    def source(self) -> Tables:
        """Where the images lie.

        Raises:
            DataError: There is no such table, it is damaged, or it has no images.
            ConfigError: Too little room to lay out compressed images.
        """
        if self._source is None:
            tables = self.tables()
            assert self._ranges is not None
            self._source = Tables(self.root, self._ranges, tables, self._images(tables), self.kept_in)
            for text in self._source.notices:
                self._notice(text)
        assert isinstance(self._source, Tables)
        return self._source

    def tables(self) -> list[Table]:
        """The tables, opened.

        Raises:
            DataError: There are none, one is damaged, or they are several sets of images.
        """
        if self._ranges is None:
            self._ranges, self._tables = open_tables(self.root, self.follow_links, self.remote)
            found = table_splits([entry.path for entry in self._tables])
            if len(found.sets) > 1:
                folders = first_of([f"{printable(name)}/" if name else "the folder itself" for name in found.sets])
                raise DataError(f"data.root {self.root}: several sets of tables, in {folders}; name one of them")
            self._splits = found.splits if any(found.splits.values()) else {}
            self._names = numbered_names(self._ranges)[1]
            names = [entry.path for entry in self._tables]
            if unused := [name for name in names if self._splits and not self._splits.get(name)]:
                self._notice(f"tables of no split, left out: {first_of(list(map(printable, unused)))}")
        if not self._opened:
            self._opened = [Table(self._ranges, entry) for entry in self._tables]
        return self._opened

    def _images(self, tables: list[Table]) -> Images:
        """The column of images, which all tables have."""
        images = find_images(tables[0], self.image_column)
        for table in tables[1:]:
            find_images(table, images.column)
        return images

    def find_classes(self) -> tuple[str, ...]:
        """Names of the labels of train, or of all rows, in natural order; no image is looked at.

        Raises:
            DataError: There is no such table, no column of labels, or fewer than two labels in it.
        """
        names: set[str] = set()
        tables = self.tables()
        self._images(tables)
        for table in tables:
            if not self._splits or self._splits.get(table.name) == "train":
                labels = find_labels(table, self.label_column, needed=True)
                assert labels is not None
                codes, found = labels_of(table, labels, self._names)
                names.update(self.named(found[code]) for code in np.unique(codes).tolist() if code != NONE)
        if len(names) < 2:
            found_names = f"only the label {min(names)!r}" if names else "no labels"
            raise DataError(f"data.root {self.root}: {found_names} for train; a classifier needs two")
        ordered = tuple(sorted(names, key=natural_order))
        check_class_names(ordered, f"data.root {self.root}")
        return ordered

    def labels(self, *, needed: bool) -> list[str | None]:
        """The label of each image of the source, in its order; None where it has none.

        Args:
            needed: Whether the tables have to have labels.

        Raises:
            DataError: They have none and have to, or a number has no name.
        """
        rows: list[str | None] = []
        for table, count in zip(self.tables(), self.source.counts, strict=True):
            column = find_labels(table, self.label_column, needed=needed)
            rows += [None] * count if column is None else self._labels_of(table, column)
        return [rows[row] for row in self.source.rows.tolist()]

    def _labels_of(self, table: Table, column: Labels) -> list[str | None]:
        codes, found = labels_of(table, column, self._names)
        names = [*map(self.named, found), None]
        return [names[code] for code in codes.tolist()]

    def read_pools(self) -> dict[str, Pool]:
        """What the tables hold: ``all`` where they are not named by split, else any of train, val and test."""
        index = self.index()
        labels = self.labels(needed=True)
        self._read_groups()
        # what each tells of its parts may be large, and no more is asked of it
        self._opened = []
        splits = [self._splits.get(entry.path, "") if self._splits else "all" for entry in self._tables]
        of_row = [splits[table] for table in self.source.table_of.tolist()]
        found: dict[str, dict[str, list[int]]] = {split: {} for split in splits if split}
        unlabelled = 0
        for row in index.order.tolist():
            label, split = labels[row], of_row[row]
            if label is None:
                unlabelled += 1
            elif split:
                found[split].setdefault(label, []).append(row)
        self.say_left_out(self.root, index.left_out + Counter({"row without a label": unlabelled}))
        return {
            split: Pool(index, {label: np.array(rows, dtype=np.int64) for label, rows in held.items()})
            for split, held in found.items()
        }

    def _read_groups(self) -> None:
        """The groups that a column names, if it does."""
        groups: list[str] = []
        for table, count in zip(self.tables(), self.source.counts, strict=True):
            column = find_group(table, self.group_column, GROUP)
            groups += [""] * count if column is None else _texts(*texts_of(table, column))
        if not any(groups):
            return
        named = {path: groups[row] for path, row in zip(self.source.paths, self.source.rows.tolist(), strict=True)}
        found, told = groups_of_column(self.group_column, named, self.group_pattern, self.root)
        if found is not None:
            self.groups = found
        if told:
            self._notice(told)

    def list_split(self, split: Split) -> Listing:
        """The images of a split; predict lists those of all tables, also those without a label.

        Raises:
            DataError: The split has no rows, a label is none of the model's, or one of them has no row in train.
        """
        if not self.classes:
            self.classes = self.find_classes()
        if split == "predict":
            index, labels = self.index(), self.labels(needed=self.label_column is not None)
            self.say_left_out(self.root, index.left_out)
            return self.listing_of_all(index, (labels[row] for row in index.order.tolist()), self.classes)
        parts, part = self.parts(split), split
        if part not in parts or (part == "test" and not len(parts[part])):
            raise DataError(
                f"data.root {self.root}: no rows for {part}; add a table named by it, or raise data.{part}_fraction"
            )
        check_known(parts[part], self.classes, f"data.root {self.root}, {part}", "correct or remove its rows")
        empty = [name for name in self.classes if not parts[part].count(name)]
        if part == "train" and empty:
            raise DataError(f"data.root {self.root}: no rows for train with the label {empty[0]!r}; add some")
        self.say_empty(part, empty)
        return self.listing_of(parts[part], self.classes)

    def index(self, inside: str = "") -> Index:
        """The images of all tables, scanned once."""
        return super().index("")


def _texts(codes: NDArray[np.int64], values: list[Any]) -> list[str]:
    names = [*(str(value).strip() for value in values), ""]
    return [names[code] for code in codes.tolist()]
