"""How do folders named after their classes become labelled splits?"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import final

from vitcli.data.augment import Augment
from vitcli.data.files import IMAGE_EXTENSIONS, check_folder, find_files, find_folders
from vitcli.data.listing import Listing, list_files
from vitcli.data.module import AUGMENT, PREPROCESS, ImageData, Split
from vitcli.data.splits import Pool, check_fractions, check_known, label_pool, split_pools
from vitcli.errors import DataError
from vitcli.preprocess import Preprocess

SPLIT_NAMES = {"train": "train", "val": "val", "validation": "val", "valid": "val", "test": "test"}


def find_splits(root: str) -> dict[str, str]:
    """Folder name on disk of each split directly in ``root``: ``{"val": "Validation"}``; none if it is not divided.

    A root counts as divided if train, val or test holds folders of its own; a class may be called *test*.

    Raises:
        DataError: A folder cannot be listed, or two folders name the same split.
    """
    found: dict[str, str] = {}
    for name in find_folders(root):
        split = SPLIT_NAMES.get(name.lower())
        if split in found:
            raise DataError(f"data.root {root}: {found[split]}/ and {name}/ both name {split} - keep one of them")
        if split is not None:
            found[split] = name
    return found if any(find_folders(os.path.join(root, name)) for name in found.values()) else {}


def read_class_folder(root: str, inside: str) -> tuple[list[str], int]:
    """Paths below ``root`` of the images at any depth of ``inside``, and how many files were left out.

    Raises:
        DataError: A folder cannot be listed.
    """
    paths, left_out = find_files(os.path.join(root, inside), extensions=IMAGE_EXTENSIONS)
    return [f"{inside}/{path}" for path in paths], left_out


@final
class FolderData(ImageData):
    """Images in folders named after their classes, divided by folder or by fraction.

    Either ``root/{train,val,test}/<class>/...`` (``validation`` and ``valid`` are read as val), or
    ``root/<class>/...``, of which val and test are held out class by class, the same images on every machine.
    Without val and test folders, both are held out from train; with val but no test, the test is on val.

    Args:
        root: Folder of the images.
        val_fraction: Share of each class that is held out for val where there is no val folder, in [0, 1).
        test_fraction: Share of each class that is held out for test where neither val nor test has a folder,
            in [0, 1).
        preprocess: The deterministic way into the net; follows the model.
        classes: Names of the classes in the order of the model's outputs; follows the model, empty reads the folders.
        augment: Random crop, flip and colour, for training only.
        batch_size: Images in one batch of one process.
        num_workers: Processes that read images, for each training process; null chooses by the machine.
        split_seed: Other seeds hold out other images; it belongs to the data, not to the run.
        seed: Seed of the order and of the augmentation, from 0; follows the run.

    Raises:
        ConfigError: A number out of range.
    """

    def __init__(
        self,
        root: str,
        val_fraction: float = 0.1,
        test_fraction: float = 0.1,
        preprocess: Preprocess = PREPROCESS,
        classes: tuple[str, ...] = (),
        augment: Augment = AUGMENT,
        batch_size: int = 64,
        num_workers: int | None = None,
        split_seed: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(
            preprocess=preprocess,
            classes=classes,
            augment=augment,
            batch_size=batch_size,
            num_workers=num_workers,
            seed=seed,
        )
        check_fractions(val_fraction, test_fraction)
        self.root = os.fspath(root)
        self.val_fraction = val_fraction
        self.split_seed = split_seed
        self.test_fraction = test_fraction
        self._pools: dict[str, Pool] = {}

    def find_classes(self) -> tuple[str, ...]:
        """Names of the class folders in natural order, from train/ or from the root; no image is looked at.

        Raises:
            DataError: There is no such folder, or it does not hold two class folders.
        """
        check_folder(self.root)
        splits = find_splits(self.root)
        if splits and "train" not in splits:
            raise DataError(
                f"data.root {self.root}: has {', '.join(splits.values())} but no train - add the folder train/"
            )
        folder = os.path.join(self.root, splits.get("train", ""))
        names = find_folders(folder)
        if len(names) >= 2:
            return tuple(names)
        if not names:
            raise DataError(
                f"data.root {self.root}: no class folders in {folder} - put the images of each class into a folder of "
                "its own; pictures without labels are read by UnlabelledData"
            )
        inner = os.path.join(folder, names[0])
        remedy = f"did you mean --data.root {inner}?" if find_folders(inner) else "add a folder for a second class"
        raise DataError(f"data.root {self.root}: only one class folder, {names[0]}/ - {remedy}")

    def list_split(self, split: Split) -> Listing:
        """The images of a split; predict lists those of test.

        Raises:
            DataError: A class has no folder or no images where it needs some, a folder names no class of the
                model, or the split is missing.
        """
        check_folder(self.root)
        if not self.classes:
            self.classes = self.find_classes()
        splits = find_splits(self.root)
        pools = {part: self._read(part, name) for part, name in splits.items()} or {"all": self._read("all", "")}
        parts, notices = split_pools(
            pools, val_fraction=self.val_fraction, test_fraction=self.test_fraction, seed=self.split_seed
        )
        part = "test" if split == "predict" else split
        for text in notices:
            if part == "test" or "testing on val" not in text:
                self._notice(text)
        if part not in parts or (part == "test" and not any(parts[part].values())):
            raise DataError(
                f"data.root {self.root}: no images for {part} - add the folder {part}/ or raise data.{part}_fraction"
                if part != "train"
                else f"data.root {self.root}: no train folder - add the folder train/"
            )
        self._check_classes(part, parts[part], splits.get(part, ""))
        paths, labels = label_pool(parts[part], self.classes)
        return list_files(self.root, paths, labels)

    def _read(self, part: str, folder: str) -> Pool:
        """The images of every class folder in a folder of the root, scanned once."""
        if part not in self._pools:
            inside = f"{folder}/" if folder else ""
            pool: Pool = {}
            _, left_out = find_files(os.path.join(self.root, folder), extensions=(), deep=False)
            for name in find_folders(os.path.join(self.root, folder)):
                pool[name], more = read_class_folder(self.root, inside + name)
                left_out += more
            if left_out:
                self._notice(f"{left_out} files in {os.path.join(self.root, folder)} are no images of a class: ignored")
            self._pools[part] = pool
        return self._pools[part]

    def _check_classes(self, part: str, pool: Pool, folder: str) -> None:
        check_known(pool, self.classes, f"data.root {self.root}, {part}")
        for name in self.classes:
            if name not in pool:
                raise DataError(
                    f"data.root {self.root}: class {name!r} has no folder for {part}, expected "
                    f"{os.path.join(self.root, folder, name)} - "
                    + (
                        "add its images there"
                        if part == "train"
                        else "create it; left empty, it says that there are none"
                    )
                )
        empty = [name for name in self.classes if not pool[name]]
        if part == "train" and empty:
            raise DataError(
                f"data.root {self.root}: no images for train in {_names(empty)} - add some, or remove the folder"
            )
        if part == "val" and len(empty) == len(self.classes):
            self._notice("no images in val: training goes on without validation")
        elif empty:
            self._notice(f"no images in {part} of {_names(empty)}")


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
