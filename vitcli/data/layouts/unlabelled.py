"""UnlabelledData: images without labels, for predict; one row for each file, readable or not."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any, final

from vitcli.data.batches.datamodule import AUGMENT, Split
from vitcli.data.module import ImageData
from vitcli.errors import DataError
from vitcli.images.index.index import Index, index_file, scan
from vitcli.images.index.listing import FileOpener, Listing, list_files
from vitcli.images.index.look_through import look_through
from vitcli.images.index.splits import Pool
from vitcli.images.source.archive import ARCHIVES, open_source
from vitcli.images.source.entries import Entries, Entry
from vitcli.images.source.source import Folder, Source
from vitcli.images.source.walk import IMAGE_EXTENSIONS
from vitcli.machine.threads import cores
from vitcli.names import at_home, extension

LIST_EXTENSION = ".txt"


@final
class UnlabelledData(ImageData):
    """Pictures without labels, for predict: a folder, a zip or tar, one image, or a text file that lists images.

    Every file below a folder gets a row, in natural order; one that is no image is reported in its row. In a text
    file (``.txt``, UTF-8) each line is a path, relative ones from the folder of the text file.

    Args:
        root: Folder of pictures at any depth, a zip or tar of one, one image file, or a ``.txt`` file with one path a
            line.
        follow_links: Whether links are followed, each file and folder that they lead to once.
        **options: What all image data take.

    Raises:
        ConfigError: A number out of range.
    """

    def __init__(self, root: str, follow_links: bool = False, **options: Any) -> None:
        super().__init__(
            augment=AUGMENT,
            sampler="shuffle",
            cache="none",
            cache_size=None,
            on_error="skip",
            max_errors=1.0,
            **options,
        )
        self.root = at_home(root)
        self.follow_links = follow_links

    def find_classes(self) -> tuple[str, ...]:
        """Never returns: without labels there are no classes to find.

        Raises:
            DataError: Always.
        """
        raise DataError(
            f"data.root {self.root}: UnlabelledData has no labels; use FolderData to train, or give a model"
        )

    def list_split(self, split: Split) -> Listing:
        """Every file below the root, the one file, or the lines of the list.

        Raises:
            DataError: Another split than predict, a root that does not exist, or one that names no file at all.
        """
        if split != "predict":
            raise DataError(f"data.root {self.root}: UnlabelledData has no labels for {split}; use FolderData")
        if not os.path.exists(self.root):
            raise DataError(f"data.root {self.root}: no such file or folder; check the path (now in {os.getcwd()})")
        source, index = self._found()
        if not len(index):
            links = index.left_out["link"]
            only = f"no files in it, but {links} links; set data.follow_links true, or" if links else "no files in it;"
            raise DataError(f"data.root {self.root}: {only} name a folder of pictures, an image or a list")
        rows = index.order
        return list_files(FileOpener(source, (), self.max_pixels, self.quarantined), index, rows)

    def look_at_all(self) -> dict[str, Pool]:
        """Every image below the root, inspected; without labels there is one class, with an empty name.

        Raises:
            DataError: The files cannot be listed.
        """
        source, index = self._found()
        if os.path.isdir(self.root) or extension(self.root) in ARCHIVES:
            file = index_file(self.kept_in, source, "", self.max_pixels)
            index = scan(source, "", IMAGE_EXTENSIONS, file)
        else:
            file = None
        look_through(index, index.order, source, max_pixels=self.max_pixels, threads=cores(), kept=file)
        return {"images": Pool(index, {"": index.order})}

    @property
    def source(self) -> Source:
        """Where the files lie."""
        return self._found()[0]

    def _found(self) -> tuple[Source, Index]:
        if os.path.isdir(self.root) or extension(self.root) in ARCHIVES:
            source = open_source(self.root, self.follow_links)
            entries, left_out = source.files()
            self._say(left_out)
            return source, Index.of(entries, left_out)
        if extension(self.root) != LIST_EXTENSION:
            folder, name = os.path.split(self.root)
            return Folder(folder), Index.of(Entries([Entry(name, 0, 0)]))
        index = Index.of(Entries(Entry(path, 0, 0) for path in self._read_list()))
        # in the order of the list
        index.order.sort()
        return Folder(os.path.dirname(self.root)), index

    def _say(self, left_out: Counter[str]) -> None:
        if count := left_out.total() - left_out["hidden or system folder"]:
            self._notice(
                f"{count} entries of {self.root} are links or special files: ignored "
                "(data.follow_links true follows links)"
            )

    def _read_list(self) -> list[str]:
        try:
            with open(self.root, encoding="utf-8-sig", errors="surrogateescape") as lines:
                return [path for line in lines if (path := line.rstrip("\r\n")).strip()]
        except OSError as error:
            raise DataError(
                f"data.root {self.root}: cannot be read ({error.strerror}); check its permissions"
            ) from error
