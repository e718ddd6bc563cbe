"""FolderData: folders named after their classes, as labelled train, val and test splits."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, final

from vitcli.data.batches.datamodule import Split
from vitcli.data.layouts.labelled import LabelledFiles
from vitcli.errors import ConfigError, DataError
from vitcli.images.division.class_names import check_class_names
from vitcli.images.division.split_folders import SplitFolders, find_split_folders
from vitcli.images.division.split_words import split_like
from vitcli.images.division.splits import Pool, as_rows, check_known
from vitcli.images.index.left_out import REMEDIES, what_to_do
from vitcli.images.index.listing import Listing
from vitcli.images.source.archive import Archive
from vitcli.names import counted, first_of, natural_order


@final
class FolderData(LabelledFiles):
    """Images in folders named after their classes, divided by folder or by fraction.

    Either ``root/{train,val,test}/<class>/...`` (``validation`` and ``valid`` are read as val), or
    ``root/<class>/...``, of which val and test are held out class by class, the same images on every machine.
    Without val and test folders, both are held out from train; with val but no test, the test is on val. Folders
    named like splits (``training_set``, ``Testing``, ``dev``) are taken as such where that is unambiguous. A zip or a
    tar of such folders is read in place.

    Args:
        root: Folder of the images, or a zip or tar of it.
        class_levels: How many nested folders make the name of a class: with 2, ``animals/cat``.
        label_pattern: A regular expression whose group is the class, searched for in the path below the root or the
            split's folder, for images that lie in no class folders: ``^(.+)_[0-9]+[.]jpg$``.
        splits: The folder of each split, ``{train: training_set, val: test_set}``; ``{}`` where all folders are
            classes; null goes by their names.
        **options: What all labelled files take.

    Raises:
        ConfigError: A number out of range, or an invalid pattern.
    """

    def __init__(
        self,
        root: str,
        class_levels: int = 1,
        label_pattern: str | None = None,
        splits: dict[str, str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(root, **options)
        if class_levels < 1:
            raise ConfigError(f"data.class_levels {class_levels}: below 1; a class is at least one folder")
        self.class_levels = class_levels
        self.label_pattern = label_pattern
        self.splits = splits
        self._pattern = _compiled(label_pattern)
        self._folders: SplitFolders | None = None

    def split_folders(self) -> SplitFolders:
        """The folders of the splits, found once; none if the root is not divided.

        Raises:
            ConfigError: data.splits names no split, or one folder twice.
            DataError: A folder cannot be listed, or it is not clear which folders are splits.
        """
        if self._folders is None:
            flat = self._pattern is not None
            self._folders = find_split_folders(self.source, said=self.splits, classes=self.classes, flat=flat)
        return self._folders

    def find_classes(self) -> tuple[str, ...]:
        """Names of the classes in natural order, from train/ or from the root; no image is looked at.

        Raises:
            DataError: There is no such folder, or it does not hold two classes.
        """
        splits = self.split_folders().inside
        if splits and "train" not in splits:
            remedy = self._linked_folders("") or "add the folder train/"
            raise DataError(f"data.root {self.root}: has {', '.join(splits.values())} but no train; {remedy}")
        inside = splits.get("train", "")
        names = self._folder_names(inside)
        if len(names) >= 2:
            self._check_no_splits(inside, names)
            check_class_names(names, f"data.root {self.root}")
            return tuple(names)
        if self._pattern is not None:
            found = f"only {names[0]!r}" if names else "nothing"
            raise DataError(
                f"data.label_pattern {self.label_pattern}: finds {found} in {self.source.where(inside)}; its "
                "group has to be the class, and find at least two"
            )
        links = self._linked_folders(inside)
        if not names:
            remedy = links or (
                "put the images of each class into a folder of its own, or give a data.label_pattern; pictures without "
                "labels are read by UnlabelledData, labels in a table by ManifestData"
            )
            raise DataError(f"data.root {self.root}: no class folders in {self.source.where(inside)}; {remedy}")
        inner = f"{inside}/{names[0]}" if inside else names[0]
        where = self.source.where(inner)
        deeper = self.class_levels == 1 and self.source.folders(inner)
        # an archive has no root below its own
        is_archive = isinstance(self.source, Archive)
        named = f"--data.splits '{{train: {inner}}}'" if is_archive else f"--data.root {where}"
        beneath = f"did you mean {named}?" if deeper else ""
        remedy = links or self._linked_folders(inner) or beneath or "add a folder for a second class"
        raise DataError(f"data.root {self.root}: only one class folder, {names[0]}/; {remedy}")

    def _linked_folders(self, inside: str) -> str:
        """What to do about folders that are links and not followed; empty if there are none."""
        links = self.source.files(inside, (), deep=False)[1]["link"]
        return (
            f"{counted(links, 'link')} there {'is' if links == 1 else 'are'} left out{REMEDIES['link']}"
            if links
            else ""
        )

    def _check_no_splits(self, inside: str, names: list[str]) -> None:
        """Folders of all splits that hold no class folders are no classes, unless it is said."""
        like = split_like(names) if self.splits is None and self._pattern is None and not inside else {}
        if len(like) == len(names) and "train" in like.values():
            remedy = self._linked_folders(names[0]) or (
                "put the images of each class into a folder of its own in each, give a data.label_pattern, or say that "
                "they are the classes: data.splits {}"
            )
            raise DataError(
                f"data.root {self.root}: {first_of([f'{name}/' for name in names])} are named like splits, but hold no "
                f"class folders; {remedy}"
            )

    def _folder_names(self, inside: str) -> list[str]:
        if self._pattern is not None:
            pool, _ = self.pool(inside, self._label)
            return sorted(pool.rows, key=natural_order)
        names = [""]
        for _ in range(self.class_levels):
            below = [(name, f"{inside}/{name}".strip("/")) for name in names]
            names = [f"{name}/{inner}".lstrip("/") for name, folder in below for inner in self.source.folders(folder)]
        return list(dict.fromkeys(map(self.named, names)))

    def _label(self, path: str) -> str | None:
        if self._pattern is not None:
            match = self._pattern.search(path)
            return self.named(match[1]) if match is not None and match[1] else None
        folders = path.split("/")
        return self.named("/".join(folders[: self.class_levels])) if len(folders) > self.class_levels else None

    def read_pools(self) -> dict[str, Pool]:
        """What lies there: ``all`` where it is not divided, else any of train, val and test."""
        splits, notices = self.split_folders().inside, self.split_folders().notices
        for text in notices:
            self._notice(text)
        self.folders = dict(splits)
        return {part: self._read(inside) for part, inside in (splits or {"all": ""}).items()}

    def _read(self, inside: str) -> Pool:
        pool, unlabelled = self.pool(inside, self._label)
        left_out = pool.index.left_out + Counter({"file outside of a class folder": unlabelled})
        self.say_left_out(self.source.where(inside), left_out)
        names = self._folder_names(inside) if self._pattern is None else []
        return Pool(pool.index, pool.rows | {name: as_rows([]) for name in names if name not in pool.rows})

    def list_split(self, split: Split) -> Listing:
        """The images of a split; predict lists those of all splits, and those in no class folder too.

        Raises:
            DataError: A class has no folder or no images where it needs some, a folder names no class of the
                model, or the split is missing.
        """
        if not self.classes:
            self.classes = self.find_classes()
        if split == "predict":
            return self._list_all()
        parts, part = self.parts(split), split
        if self._pattern is None and not any(pool.rows for pool in self.pools.values()):
            raise DataError(
                f"data.root {self.root}: none of its images lies in the folder of a class "
                f"({first_of([f'{name}/' for name in self.classes])}); name the folder above those"
            )
        if part not in parts or (part == "test" and not len(parts[part])):
            raise DataError(
                f"data.root {self.root}: no images for {part}; add the folder {part}/ or raise data.{part}_fraction"
                if part != "train"
                else f"data.root {self.root}: no train folder; add the folder train/"
            )
        self._check_classes(part, parts[part])
        return self.listing_of(parts[part], self.classes)

    def _list_all(self) -> Listing:
        index, inside = self.index(), self.split_folders().inside
        self.say_left_out(self.source.where(), index.left_out)
        starts = [f"{folder}/" for folder in inside.values()]

        def label(path: str) -> str | None:
            start = next((start for start in starts if path.startswith(start)), None)
            return self._label(path[len(start or "") :]) if start is not None or not starts else None

        return self.listing_of_all(index, map(label, index.paths.take(index.order)), self.classes)

    def _check_classes(self, part: str, pool: Pool) -> None:
        check_known(pool, self.classes, f"data.root {self.root}, {part}")
        for name in self.classes:
            if name not in pool.rows and self._pattern is None:
                folder = self.split_folders().inside.get(part, "")
                raise DataError(
                    f"data.root {self.root}: class {name!r} has no folder for {part}, expected "
                    f"{self.source.where(folder, name)}; "
                    + (
                        "add its images there"
                        if part == "train"
                        else "create it; an empty folder says that there are none"
                    )
                )
        empty = [name for name in self.classes if not pool.count(name)]
        if part == "train" and empty:
            remedy = what_to_do(pool.index.left_out) or "add some, or remove the folder"
            raise DataError(f"data.root {self.root}: no images for train in {first_of(empty)}; {remedy}")
        self.say_empty(part, empty)


def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    if pattern is None:
        return None
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"data.label_pattern {pattern}: is no regular expression ({error}); correct it") from error
    if compiled.groups != 1:
        raise ConfigError(f"data.label_pattern {pattern}: has {compiled.groups} groups; give it exactly one, the class")
    return compiled
