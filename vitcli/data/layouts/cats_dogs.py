"""CatsDogsData: cats and dogs from Kaggle's flat folder or zip, from class folders, or from Oxford-IIIT Pet."""

from __future__ import annotations

import os
import re
from collections import Counter
from typing import Any, final

from vitcli.data.batches.datamodule import Split
from vitcli.data.layouts.labelled import LabelledFiles
from vitcli.data.layouts.pets import IMAGES, download_pets
from vitcli.errors import ConfigError, DataError
from vitcli.images.division.split_folders import find_split_folders
from vitcli.images.division.splits import Pool, as_rows
from vitcli.images.index.listing import Listing
from vitcli.images.source.open import open_source
from vitcli.images.source.source import Folder, Source
from vitcli.images.source.walk import check_folder
from vitcli.names import is_url

CLASSES = ("cat", "dog")
FOLDER_NAMES = {"cat": "cat", "cats": "cat", "dog": "dog", "dogs": "dog"}
# What Microsoft's copy of the same photos is called inside its zip.
INNER_FOLDERS = ("petimages",)
FLAT_NAME = re.compile(r"(cat|dog)\.[0-9]+\.[a-z0-9]+", re.IGNORECASE)
ARCHIVE = "train.zip"
LAYOUTS = "cat.0.jpg and dog.0.jpg, folders cat and dog, or Kaggle's train.zip"


def kind(path: str) -> str | None:
    """Cat or dog, by the folder or by the name of a photo; None for neither."""
    *folders, name = path.split("/")
    if folders and folders[0].lower() in INNER_FOLDERS:
        folders = folders[1:]
    if folders:
        return FOLDER_NAMES.get(folders[0].lower())
    return name[:3].lower() if FLAT_NAME.fullmatch(name) else None


@final
class CatsDogsData(LabelledFiles):
    """Cats and dogs, the binary example: found in any of the layouts in which these photos are distributed.

    In the folder, or below it in ``train``, ``val`` and ``test`` (``training_set``, ``test_set``): files named
    ``cat.0.jpg`` and ``dog.0.jpg``, or folders ``cat`` and ``dog`` (``cats``, ``dogs``, ``PetImages/Cat``).
    ``train.zip`` as downloaded from Kaggle is read in place. Kaggle's ``test`` folder has no labels and is left alone;
    val and test are held out from train, the same photos on every machine.

    Args:
        root: Folder of the photos, or train.zip itself.
        download: Whether to download the Oxford-IIIT Pet photos (800 MB, CC BY-SA 4.0) into the folder, once.
        **options: What all labelled files take.

    Raises:
        ConfigError: A number out of range.
    """

    def __init__(self, root: str, download: bool = False, **options: Any) -> None:
        super().__init__(root, **options)
        self.download = download
        if download and is_url(self.root):
            raise ConfigError(
                f"data.download true: into a folder on a disk only, not {self.root}; name one in data.root"
            )

    @property
    def source(self) -> Source:
        """Where the photos lie.

        Raises:
            DataError: There is no such folder or zip.
        """
        if self._source is None:
            archive = os.path.join(self.root, ARCHIVE)
            if self.download:
                self._source = Folder(self.root, self.follow_links)
            else:
                root = archive if os.path.isfile(archive) else self.root
                self._source = open_source(root, self.follow_links, self.kept_in, self.remote)
        return self._source

    def find_classes(self) -> tuple[str, ...]:
        """Always cat and dog.

        Raises:
            DataError: There is no such folder or zip.
        """
        if not self.download and not is_url(self.root) and not os.path.isfile(self.root):
            check_folder(self.root)
        return CLASSES

    def prepare_data(self) -> None:
        """Downloads, in one process of each machine, what is not there yet, and finds what the stage needs.

        Raises:
            DataError: The network fails, or as setup raises it.
        """
        if self.download:
            download_pets(self.root)
        else:
            self.find_classes()
        super().prepare_data()

    def list_split(self, split: Split) -> Listing:
        """The photos of a split; predict lists all, also those without a label.

        Raises:
            DataError: There are no cats or no dogs, or the model's classes lack one of them.
        """
        classes = self.classes or CLASSES
        for name in CLASSES:
            if name not in classes:
                raise DataError(
                    f"data.root {self.root}: {name!r} is none of the model's classes {list(classes)}; "
                    "CatsDogsData serves models with the classes cat and dog; use FolderData for others"
                )
        parts = self.parts(split)
        if split == "predict":
            index = self.index(IMAGES if self.download else "")
            labels = {int(row): name for pool in self.pools.values() for name in pool.rows for row in pool.rows[name]}
            return self.listing_of_all(index, map(labels.get, index.order.tolist()), classes)
        part = split
        pool = parts.get(part)
        missing = [name for name in CLASSES if pool is None or not pool.count(name)]
        held_out_nothing = part == "val" and "val" not in self.pools and self.val_fraction == 0
        if pool is None or (missing and not held_out_nothing):
            raise DataError(
                f"data.root {self.root}: no {' and no '.join(missing)} for {part}; expected {LAYOUTS}"
                + ("" if self.download else "; --data.download true fetches photos")
            )
        return self.listing_of(pool, classes)

    def read_pools(self) -> dict[str, Pool]:
        """What lies there: ``all`` where it is not divided, else any of train, val and test."""
        if self.download:
            return self._downloaded()
        pools: dict[str, Pool] = {}
        whole, unlabelled = self.pool("", kind)
        if whole.rows:
            pools["all"] = whole
        else:
            for part, inside in find_split_folders(self.source, flat=True).inside.items():
                pool, _ = self.pool("", lambda path, inside=inside: _below(inside, path))  # type: ignore[misc]
                if pool.rows:
                    pools[part], self.folders[part] = pool, inside
                    unlabelled -= len(pool)
        left_out = whole.index.left_out + Counter({"neither cat nor dog by name": unlabelled})
        self.say_left_out(self.source.where(), left_out)
        return pools

    def _downloaded(self) -> dict[str, Pool]:
        pools = download_pets(self.root)
        index = self.index(IMAGES)
        rows = {path: row for row, path in enumerate(index.paths)}
        return {
            part: Pool(
                index, {label: as_rows([rows[path] for path in paths if path in rows]) for label, paths in pool.items()}
            )
            for part, pool in pools.items()
        }


def _below(folder: str, path: str) -> str | None:
    return kind(path.removeprefix(f"{folder}/")) if path.startswith(f"{folder}/") else None
