"""FolderData: folders named after their classes, as labelled train, val and test splits."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, final

from vitcli.data.batches.datamodule import Split
from vitcli.data.layouts.labelled import REMEDIES, LabelledFiles, part_of
from vitcli.errors import ConfigError, DataError
from vitcli.images.index.listing import Listing
from vitcli.images.index.splits import SPLIT_NAMES, Pool, as_rows, check_known
from vitcli.images.source.source import Source
from vitcli.names import natural_order


def find_splits(source: Source, flat: bool = False) -> dict[str, str]:
    """Folder name on disk of each split directly in the root: ``{"val": "Validation"}``; none if it is not divided.

    A root counts as divided if train, val or test holds folders of its own; a class may be called *test*.

    Args:
        source: Where the files lie.
        flat: Whether the images may lie in train, val and test themselves.

    Raises:
        DataError: A folder cannot be listed, or two folders name the same split.
    """
    found: dict[str, str] = {}
    for name in source.folders():
        split = SPLIT_NAMES.get(name.lower())
        if split in found:
            raise DataError(f"data.root {source.root}: {found[split]}/ and {name}/ both name {split}; keep one of them")
        if split is not None:
            found[split] = name
    return found if flat or any(source.folders(name) for name in found.values()) else {}


@final
class FolderData(LabelledFiles):
    """Images in folders named after their classes, divided by folder or by fraction.

    Either ``root/{train,val,test}/<class>/...`` (``validation`` and ``valid`` are read as val), or
    ``root/<class>/...``, of which val and test are held out class by class, the same images on every machine.
    Without val and test folders, both are held out from train; with val but no test, the test is on val. A zip or a
    tar of such folders is read in place.

    Args:
        root: Folder of the images, or a zip or tar of it.
        class_levels: How many nested folders make the name of a class: with 2, ``animals/cat``.
        label_pattern: A regular expression whose group is the class, searched for in the path below the root or the
            split's folder, for images that lie in no class folders: ``^(.+)_[0-9]+[.]jpg$``.
        **options: What all labelled files take.

    Raises:
        ConfigError: A number out of range, or an invalid pattern.
    """

    def __init__(self, root: str, class_levels: int = 1, label_pattern: str | None = None, **options: Any) -> None:
        super().__init__(root, **options)
        if class_levels < 1:
            raise ConfigError(f"data.class_levels {class_levels}: below 1; a class is at least one folder")
        self.class_levels = class_levels
        self.label_pattern = label_pattern
        self._pattern = _compiled(label_pattern)

    def find_classes(self) -> tuple[str, ...]:
        """Names of the classes in natural order, from train/ or from the root; no image is looked at.

        Raises:
            DataError: There is no such folder, or it does not hold two classes.
        """
        splits = find_splits(self.source, self._pattern is not None)
        if splits and "train" not in splits:
            raise DataError(
                f"data.root {self.root}: has {', '.join(splits.values())} but no train; add the folder train/"
            )
        inside = splits.get("train", "")
        names = self._class_names(inside)
        if len(names) >= 2:
            return tuple(names)
        if self._pattern is not None:
            found = f"only {names[0]!r}" if names else "nothing"
            raise DataError(
                f"data.label_pattern {self.label_pattern}: finds {found} in {self.source.where(inside)}; its "
                "group has to be the class, and find at least two"
            )
        if not names:
            raise DataError(
                f"data.root {self.root}: no class folders in {self.source.where(inside)}; put the images of each "
                "class into a folder of its own, or give a data.label_pattern; pictures without labels are read by "
                "UnlabelledData, labels in a table by ManifestData"
            )
        inner = f"{inside}/{names[0]}" if inside else names[0]
        deeper = self.class_levels == 1 and self.source.folders(inner)
        remedy = (
            f"did you mean --data.root {self.source.where(inner)}?" if deeper else "add a folder for a second class"
        )
        raise DataError(f"data.root {self.root}: only one class folder, {names[0]}/; {remedy}")

    def _class_names(self, inside: str) -> list[str]:
        if self._pattern is not None:
            pool, _ = self.pool(inside, self._label)
            return sorted(pool.rows, key=natural_order)
        names = [""]
        for _ in range(self.class_levels):
            below = [(name, f"{inside}/{name}".strip("/")) for name in names]
            names = [f"{name}/{inner}".strip("/") for name, folder in below for inner in self.source.folders(folder)]
        return names

    def _label(self, path: str) -> str | None:
        if self._pattern is not None:
            match = self._pattern.search(path)
            return match[1] if match is not None else None
        folders = path.split("/")
        return "/".join(folders[: self.class_levels]) if len(folders) > self.class_levels else None

    def read_pools(self) -> dict[str, Pool]:
        """What lies there: ``all`` where it is not divided, else any of train, val and test."""
        splits = find_splits(self.source, self._pattern is not None)
        return {part: self._read(inside) for part, inside in (splits or {"all": ""}).items()}

    def _read(self, inside: str) -> Pool:
        pool, unlabelled = self.pool(inside, self._label)
        left_out = pool.index.left_out + Counter({"file outside of a class folder": unlabelled})
        self.say_left_out(self.source.where(inside), left_out)
        names = self._class_names(inside) if self._pattern is None else []
        return Pool(pool.index, pool.rows | {name: as_rows([]) for name in names if name not in pool.rows})

    def list_split(self, split: Split) -> Listing:
        """The images of a split; predict lists those of test.

        Raises:
            DataError: A class has no folder or no images where it needs some, a folder names no class of the
                model, or the split is missing.
        """
        if not self.classes:
            self.classes = self.find_classes()
        parts, part = self.parts(split), part_of(split)
        if part not in parts or (part == "test" and not len(parts[part])):
            raise DataError(
                f"data.root {self.root}: no images for {part}; add the folder {part}/ or raise data.{part}_fraction"
                if part != "train"
                else f"data.root {self.root}: no train folder; add the folder train/"
            )
        self._check_classes(part, parts[part])
        return self.listing_of(parts[part], self.classes)

    def _check_classes(self, part: str, pool: Pool) -> None:
        check_known(pool, self.classes, f"data.root {self.root}, {part}")
        for name in self.classes:
            if name not in pool.rows and self._pattern is None:
                folder = find_splits(self.source).get(part, "")
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
            links = pool.index.left_out["link"]
            remedy = f"{links} links were left out{REMEDIES['link']}" if links else "add some, or remove the folder"
            raise DataError(f"data.root {self.root}: no images for train in {_names(empty)}; {remedy}")
        if part == "val" and len(empty) == len(self.classes):
            self._notice("no images in val: training goes on without validation")
        elif empty:
            self._notice(f"no images in {part} of {_names(empty)}")


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


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
