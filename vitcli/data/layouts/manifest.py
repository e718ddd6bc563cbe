"""ManifestData: the rows of a table, each a path and a label, as labelled splits."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from typing import Any, final

from vitcli.data.batches.datamodule import Split
from vitcli.data.layouts.group_column import GROUP, check_group_column, groups_of_column
from vitcli.data.layouts.labelled import LabelledFiles
from vitcli.errors import DataError
from vitcli.images.division.class_names import check_class_names
from vitcli.images.division.split_words import split_named
from vitcli.images.division.splits import SPLIT_NAMES, Pool, as_rows, check_known
from vitcli.images.index.index import Index, index_file
from vitcli.images.index.listing import Listing
from vitcli.images.source.entries import Entries, Entry
from vitcli.images.source.open import open_source
from vitcli.images.source.source import Folder, Source
from vitcli.names import absolute, at_home, counted, extension, is_url, natural_order, printable
from vitcli.table.read import Record, read_table

SPLIT = "split"
# Linux takes 4,096 bytes
LONGEST_PATH = 32_768


@final
class ManifestData(LabelledFiles):
    """Images that a table lists: a row for each, with its path, its label and, if you like, its split.

    CSV with a heading, JSON lines, or Parquet; in a text file, each line is a path, and the label is the folder that
    the image lies in. Paths are relative to the table's own folder, or to ``folder``. Rows without a split are all
    divided by fraction; where some have one (train, val or test, or a word for it such as dev or holdout), rows
    without one are left out.

    Args:
        root: The table: ``.csv``, ``.tsv``, ``.jsonl``, ``.parquet`` or ``.txt``.
        folder: Folder, zip or tar that paths are relative to; null: the table's own folder.
        path_column: Name of the column with the paths.
        label_column: Name of the column with the labels.
        split_column: Name of the column with the splits, if the table has it.
        group_column: Name of the column with the groups, if the table has it: rows of one group are never divided
            between splits; a row without one is a group of its own.
        **options: What all labelled files take.

    Raises:
        ConfigError: A number out of range.
    """

    def __init__(
        self,
        root: str,
        folder: str | None = None,
        path_column: str = "path",
        label_column: str = "label",
        split_column: str = SPLIT,
        group_column: str = GROUP,
        **options: Any,
    ) -> None:
        super().__init__(root, **options)
        self.folder = None if folder is None else at_home(folder)
        if folder is not None and is_url(folder):
            self.unused = {key: why for key, why in self.unused.items() if not key.startswith("data.remote.")}
        self.path_column = path_column
        self.label_column = label_column
        self.split_column = split_column
        self.group_column = group_column
        check_group_column(group_column, self.group_pattern)
        self._read: list[tuple[str, str, str]] | None = None
        # the word of the table for each split
        self._spelled: dict[str, str] = {}
        # the group of each path
        self._grouped: dict[str, str] = {}

    @property
    def source(self) -> Source:
        """Where the images lie.

        Raises:
            DataError: There is no such folder or archive.
        """
        if self._source is None:
            if self.folder is not None:
                self._source = open_source(self.folder, self.follow_links, self.kept_in, self.remote)
            elif is_url(self.root):
                from vitcli.images.source.remote.open import folder_above

                self._source = folder_above(self.root, self.remote)
            else:
                self._source = Folder(os.path.dirname(self.root) or ".")
        return self._source

    def find_classes(self) -> tuple[str, ...]:
        """Names of the labels of train, or of all rows, in natural order; no image is looked at.

        Raises:
            DataError: There is no such table, or fewer than two labels in it.
        """
        rows = self.rows()
        divided = any(split for _, _, split in rows)
        names = sorted({label for _, label, split in rows if split == "train" or not divided}, key=natural_order)
        if len(names) < 2:
            found = f"only the label {names[0]!r}" if names else "no rows"
            raise DataError(f"data.root {self.root}: {found} for train; a classifier needs two")
        check_class_names(names, f"data.root {self.root}")
        return tuple(names)

    def rows(self) -> list[tuple[str, str, str]]:
        """Path, label and split of every row; the split is empty where there is none.

        Raises:
            DataError: There is no such table, a column is missing, or a split is unknown or has two names.
        """
        if self._read is None:
            rows, found = [], {SPLIT, GROUP}
            for number, row in enumerate(self._table(), 1):
                rows.append(self._row(number, row))
                found.update(row)
            for key, column in (("split_column", self.split_column), ("group_column", self.group_column)):
                if column not in found:
                    raise DataError(
                        f"data.{key} {column}: no row of {self.root} has such a column; name one of its columns, or "
                        "leave it out"
                    )
            self._check_apart([path for path, _, _ in rows])
            self._read = rows
        return self._read

    def _check_apart(self, paths: list[str]) -> None:
        """Check that no image is listed twice, under whatever spelling of its path.

        Raises:
            DataError: One is.
        """
        above = os.path.abspath(self.folder or os.path.dirname(self.root))
        whole = [os.path.normpath(path if is_url(self.root) else os.path.join(above, path)) for path in paths]
        (most, times), *_ = Counter(whole).most_common(1) or [("", 0)]
        if times > 1:
            spelled = list(dict.fromkeys(path for path, one in zip(paths, whole, strict=True) if one == most))
            also = f" (also as {spelled[1]})" if len(spelled) > 1 else ""
            raise DataError(f"data.root {self.root}: {spelled[0]} is listed {times} times{also}; keep one of its rows")

    def _table(self) -> Iterator[Record]:
        """The rows of the table, wherever it lies."""
        if not is_url(self.root):
            yield from read_table(self.root, "data.root")
            return
        from vitcli.images.source.remote.open import read_object

        with tempfile.NamedTemporaryFile(prefix="vitcli-", suffix=extension(self.root)) as file:
            file.write(read_object(self.root, self.remote))
            file.flush()
            yield from read_table(file.name, "data.root", self.root)

    def _row(self, number: int, row: Record) -> tuple[str, str, str]:
        where = f"data.root {self.root}, row {number}"
        path, label, group, split_word = (
            _text(where, row, column)
            for column in (self.path_column, self.label_column, self.group_column, self.split_column)
        )
        for key, column, text in (
            ("path_column", self.path_column, path),
            ("label_column", self.label_column, label),
        ):
            if not text.strip():
                raise DataError(
                    f"{where}: no {column!r} (columns: {', '.join(map(str, row))}); fill it in, or set data.{key}"
                )
        # a list of paths names folders, whose names may be no text
        if extension(self.root) != ".txt" and any("\ud800" <= letter <= "\udfff" for letter in label):
            raise DataError(
                f"{where}: {self.label_column} '{printable(label)}' is not valid UTF-8; save the table as UTF-8"
            )
        if "\0" in path or len(path) > LONGEST_PATH:
            why = "holds a NUL byte" if "\0" in path else f"has {len(path):,} characters"
            raise DataError(f"{where}: {self.path_column} {path[:60]!r} {why}, and is no path; correct it")
        if is_url(path):
            above = (self.folder or os.path.dirname(self.root)).rstrip("/")
            if not path.startswith(f"{above}/"):
                raise DataError(
                    f"{where}: {path} does not lie in {above}; set data.folder to a folder above all images"
                )
            path = path[len(above) + 1 :]
        self._grouped[path] = group.strip()
        return path, self.named(label), self._split(where, split_word.strip())

    def _split(self, where: str, value: str) -> str:
        if not value:
            return ""
        split = split_named(value)
        if not split:
            raise DataError(f"{where}: {self.split_column} {value!r} is no split; use train, val or test")
        other = self._spelled.setdefault(split, value)
        if value.lower() != other.lower() and not {value.lower(), other.lower()} <= SPLIT_NAMES.keys():
            raise DataError(
                f"{where}: {self.split_column} {value!r} means {split}, and so does {other!r} in rows before; use "
                "train, val or test"
            )
        return split

    def index_rows(self) -> Index:
        """The images of all rows, whether they are there or not."""
        name = absolute(self.root)
        if name not in self._indices:
            versions = self._versions()
            entries = Entries(versions.get(path) or Entry(path, 0, 0) for path, _, _ in self.rows())
            known = Index.load(index_file(self.kept_in, self.source, name, self.max_pixels, self.preprocess.white))
            self._indices[name] = Index.of(entries, None, known)
        return self._indices[name]

    def _versions(self) -> dict[str, Entry]:
        if not isinstance(self.source, Folder):
            return {entry.path: entry for entry in self.source.files()[0]}
        found = {}
        for path, _, _ in self.rows():
            try:
                status = os.stat(os.path.join(self.source.root, path))
            except OSError:
                continue
            found[path] = Entry(path, status.st_size, status.st_mtime_ns)
        if not found and (rows := self.rows()):
            first = printable(os.path.join(self.source.root, rows[0][0]))
            raise DataError(
                f"data.root {self.root}: none of its {counted(len(rows), 'image')} is there, such as {first}; paths "
                "count from the table's own folder, or from data.folder"
            )
        return found

    def read_pools(self) -> dict[str, Pool]:
        """What the table says: ``all`` where it has no splits, else any of train, val and test."""
        self._read_groups()
        index = self.index_rows()
        places = {path: row for row, path in enumerate(index.paths)}
        divided = any(split for _, _, split in self.rows())
        unsplit = sum(not split for _, _, split in self.rows()) if divided else 0
        if unsplit:
            self._notice(f"{unsplit} rows of {self.root} have no {self.split_column}: left out")
        found: dict[str, dict[str, list[int]]] = {}
        for path, label, split in sorted(self.rows(), key=lambda row: natural_order(row[0])):
            if split or not divided:
                found.setdefault(split or "all", {}).setdefault(label, []).append(places[path])
        return {
            part: Pool(index, {label: as_rows(rows) for label, rows in labels.items()})
            for part, labels in found.items()
        }

    def _read_groups(self) -> None:
        """The groups that the table names, if it does."""
        self.rows()
        if any(self._grouped.values()):
            found, told = groups_of_column(self.group_column, self._grouped, self.group_pattern, self.root)
            if found is not None:
                self.groups = found
            if told:
                self._notice(told)

    def list_split(self, split: Split) -> Listing:
        """The images of a split; predict lists those of all rows.

        Raises:
            DataError: The split has no rows, a label is none of the model's, or one of them has no row in train.
        """
        if not self.classes:
            self.classes = self.find_classes()
        if split == "predict":
            index = self.index_rows()
            labels = {path: label for path, label, _ in self.rows()}
            return self.listing_of_all(index, map(labels.get, index.paths.take(index.order)), self.classes)
        parts, part = self.parts(split), split
        if part not in parts or (part == "test" and not len(parts[part])):
            raise DataError(f"data.root {self.root}: no rows for {part}; add some, or raise data.{part}_fraction")
        check_known(parts[part], self.classes, f"data.root {self.root}, {part}", "correct or remove its rows")
        empty = [name for name in self.classes if not parts[part].count(name)]
        if part == "train" and empty:
            raise DataError(f"data.root {self.root}: no rows for train with the label {empty[0]!r}; add some")
        if part == "val" and len(empty) == len(self.classes):
            self._notice("no images in val: training goes on without validation")
        elif empty:
            self._notice(f"no images in {part} of {', '.join(empty[:5])}{' and more' if len(empty) > 5 else ''}")
        return self.listing_of(parts[part], self.classes)


def _text(where: str, row: Record, column: str) -> str:
    """A cell as text; empty where it has no value.

    Raises:
        DataError: It holds several.
    """
    value = row.get(column)
    if isinstance(value, list | dict):
        raise DataError(f"{where}: {column} {str(value)[:60]} is not one value; give the row one")
    # nan, by which other tools write that there is none
    return "" if value is None or value != value else str(value)
