"""Where are the cats and the dogs? In Kaggle's flat folder, its zip, class folders, or a download of Oxford's pets."""

from __future__ import annotations

import os
import re
from typing import final

from vitcli.data.archive import unpack
from vitcli.data.augment import Augment
from vitcli.data.files import IMAGE_EXTENSIONS, check_folder, find_files, find_folders
from vitcli.data.folder import SPLIT_NAMES, read_class_folder
from vitcli.data.listing import Listing, list_files
from vitcli.data.module import AUGMENT, PREPROCESS, ImageData, Split
from vitcli.data.pets import download_pets
from vitcli.data.splits import Pool, check_fractions, label_pool, split_pools
from vitcli.errors import DataError
from vitcli.preprocess import Preprocess

CLASSES = ("cat", "dog")
FOLDER_NAMES = {"cat": "cat", "cats": "cat", "dog": "dog", "dogs": "dog"}
# What Microsoft's copy of the same photos is called inside its zip.
INNER_FOLDERS = ("petimages",)
FLAT_NAME = re.compile(r"(cat|dog)\.[0-9]+\.[a-z0-9]+", re.IGNORECASE)
ARCHIVE = "train.zip"
LAYOUTS = "cat.0.jpg and dog.0.jpg, folders cat and dog, or Kaggle's train.zip"


def read_pets(root: str, inside: str = "") -> tuple[Pool, int]:
    """Cats and dogs directly in a folder, by file name or by class folder; paths below ``root``, and files left out.

    Raises:
        DataError: A folder cannot be listed.
    """
    prefix = f"{inside}/" if inside else ""
    folder = os.path.join(root, inside)
    pool: Pool = {}
    flat, left_out = find_files(folder, extensions=IMAGE_EXTENSIONS, deep=False)
    for path in flat:
        if FLAT_NAME.fullmatch(path):
            pool.setdefault(path[:3].lower(), []).append(prefix + path)
        else:
            left_out += 1
    for name in find_folders(folder):
        if name.lower() in FOLDER_NAMES:
            paths, more = read_class_folder(root, prefix + name)
            pool.setdefault(FOLDER_NAMES[name.lower()], []).extend(paths)
            left_out += more
        elif name.lower() in INNER_FOLDERS:
            inner, more = read_pets(root, prefix + name)
            left_out += more
            for label, paths in inner.items():
                pool.setdefault(label, []).extend(paths)
    return pool, left_out


@final
class CatsDogsData(ImageData):
    """Cats and dogs, the binary example: found in any of the layouts in which these photos are handed around.

    In the folder, or below it in ``train``, ``val`` and ``test``: files named ``cat.0.jpg`` and ``dog.0.jpg``, or
    folders ``cat`` and ``dog`` (``cats``, ``dogs``, ``PetImages/Cat``). ``train.zip`` as downloaded from Kaggle is
    unpacked beside itself, once. Kaggle's ``test`` folder has no labels and is left alone; val and test are held
    out from train, the same photos on every machine.

    Args:
        root: Folder of the photos, or train.zip itself.
        download: Whether to download the Oxford-IIIT Pet photos (800 MB, CC BY-SA 4.0) into the folder, once.
        val_fraction: Share of cats and of dogs that is held out for val where there is no val folder, in [0, 1).
        test_fraction: Share that is held out for test where neither val nor test has labels, in [0, 1).
        preprocess: The deterministic way into the net; follows the model.
        classes: cat and dog in the order of the model's outputs; follows the model.
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
        download: bool = False,
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
        self.download = download
        self.val_fraction = val_fraction
        self.split_seed = split_seed
        self.test_fraction = test_fraction
        self._found: tuple[str, dict[str, Pool]] | None = None

    def find_classes(self) -> tuple[str, ...]:
        """Always cat and dog.

        Raises:
            DataError: There is no such folder or zip.
        """
        if not self.download and not os.path.isfile(self.root):
            check_folder(self.root)
        return CLASSES

    def prepare_data(self) -> None:
        """Downloads or unpacks, in one process of each machine, what is not there yet.

        Raises:
            DataError: The network or the archive fails.
        """
        if self.download:
            download_pets(self.root)
        else:
            self._folder()

    def list_split(self, split: Split) -> Listing:
        """The photos of a split; predict lists those of test.

        Raises:
            DataError: There are no cats or no dogs, or the model's classes lack one of them.
        """
        classes = self.classes or CLASSES
        for name in CLASSES:
            if name not in classes:
                raise DataError(
                    f"data.root {self.root}: {name!r} is none of the model's classes {list(classes)} - "
                    "CatsDogsData serves models with the classes cat and dog; use FolderData for others"
                )
        folder, pools = self._read()
        parts, notices = split_pools(
            pools, val_fraction=self.val_fraction, test_fraction=self.test_fraction, seed=self.split_seed
        )
        part = "test" if split == "predict" else split
        for text in notices:
            if part == "test" or "testing on val" not in text:
                self._notice(text)
        pool = parts.get(part, {})
        missing = [name for name in CLASSES if not pool.get(name)]
        held_out_nothing = part == "val" and "val" not in pools and self.val_fraction == 0
        if missing and not held_out_nothing:
            raise DataError(
                f"data.root {self.root}: no {' and no '.join(missing)} for {part} - expected {LAYOUTS}"
                + ("" if self.download else "; --data.download true fetches photos")
            )
        paths, labels = label_pool(pool, classes)
        return list_files(folder, paths, labels)

    def _folder(self) -> str:
        """The folder that holds the photos, once a zip is unpacked."""
        if os.path.isfile(self.root):
            return unpack(self.root)
        check_folder(self.root)
        archive = os.path.join(self.root, ARCHIVE)
        return unpack(archive) if os.path.isfile(archive) else self.root

    def _read(self) -> tuple[str, dict[str, Pool]]:
        """The folder and what lies in it, scanned once."""
        if self._found is None:
            self._found = download_pets(self.root) if self.download else self._scan(self._folder())
        return self._found

    def _scan(self, folder: str) -> tuple[str, dict[str, Pool]]:
        pool, left_out = read_pets(folder)
        pools = {"all": pool} if pool else {}
        if not pool:
            for name in find_folders(folder):
                part = SPLIT_NAMES.get(name.lower())
                if part is not None and part not in pools:
                    found, more = read_pets(folder, name)
                    if found:
                        pools[part] = found
                        left_out += more
        if left_out:
            self._notice(f"{left_out} files in {folder} are neither cat nor dog by name: ignored")
        return folder, pools
