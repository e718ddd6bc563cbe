"""How are pictures listed whose labels nobody knows? One row for each file, readable or not."""

from __future__ import annotations

import os
from typing import final

from vitcli.data.files import find_files
from vitcli.data.listing import Listing, list_files
from vitcli.data.module import AUGMENT, PREPROCESS, ImageData, Split
from vitcli.errors import DataError
from vitcli.preprocess import Preprocess

LIST_EXTENSION = ".txt"


@final
class UnlabelledData(ImageData):
    """Pictures without labels, for predict: a folder, one image, or a text file that lists images.

    Every file below a folder gets a row, in natural order; one that is no image is reported in its row. In a text
    file (``.txt``, UTF-8) each line is a path, relative ones from the folder of the text file.

    Args:
        root: Folder of pictures at any depth, one image file, or a ``.txt`` file with one path a line.
        preprocess: The deterministic way into the net; follows the model.
        classes: Names of the classes in the order of the model's outputs; follows the model.
        batch_size: Images in one batch of one process.
        num_workers: Processes that read images, for each process that predicts; null chooses by the machine.
        seed: Seed, from 0; without effect on predict.

    Raises:
        ConfigError: A number out of range.
    """

    def __init__(
        self,
        root: str,
        preprocess: Preprocess = PREPROCESS,
        classes: tuple[str, ...] = (),
        batch_size: int = 64,
        num_workers: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(
            preprocess=preprocess,
            classes=classes,
            augment=AUGMENT,
            batch_size=batch_size,
            num_workers=num_workers,
            seed=seed,
        )
        self.root = os.fspath(root)

    def find_classes(self) -> tuple[str, ...]:
        """Never returns: without labels there are no classes to find.

        Raises:
            DataError: Always.
        """
        raise DataError(
            f"data.root {self.root}: UnlabelledData has no labels - use FolderData to train, or give a model"
        )

    def list_split(self, split: Split) -> Listing:
        """Every file below the root, the one file, or the lines of the list.

        Raises:
            DataError: Another split than predict, a root that does not exist, or one that names no file at all.
        """
        if split != "predict":
            raise DataError(f"data.root {self.root}: UnlabelledData has no labels for {split} - use FolderData")
        if not os.path.exists(self.root):
            raise DataError(f"data.root {self.root}: no such file or folder - check the path (now in {os.getcwd()})")
        if os.path.isdir(self.root):
            paths, left_out = find_files(self.root)
            if left_out:
                self._notice(
                    f"{left_out} entries of {self.root} are no files (broken links, links to folders): ignored"
                )
            folder = self.root
        elif self.root.lower().endswith(LIST_EXTENSION):
            folder, paths = os.path.dirname(self.root), self._read_list()
        else:
            folder, name = os.path.split(self.root)
            paths = [name]
        if not paths:
            raise DataError(f"data.root {self.root}: no files in it - name a folder of pictures, an image or a list")
        return list_files(folder, paths)

    def _read_list(self) -> list[str]:
        try:
            with open(self.root, encoding="utf-8-sig", errors="surrogateescape") as lines:
                return [path for line in lines if (path := line.rstrip("\r\n")).strip()]
        except OSError as error:
            raise DataError(
                f"data.root {self.root}: cannot be read ({error.strerror}) - check its permissions"
            ) from error
