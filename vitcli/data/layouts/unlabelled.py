"""UnlabelledData: images without labels, for predict; one row for each file, readable or not."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any, final

from vitcli.data.batches.datamodule import AUGMENT, Split
from vitcli.data.module import ImageData
from vitcli.errors import ConfigError, DataError
from vitcli.images.division.splits import Pool
from vitcli.images.index.index import Index, index_file, scan
from vitcli.images.index.listing import FileOpener, Listing, list_files
from vitcli.images.index.look_through import look_through
from vitcli.images.source.archive import ARCHIVES, open_source
from vitcli.images.source.entries import Entries, Entry
from vitcli.images.source.pattern import is_pattern, spelled_out
from vitcli.images.source.roots import roots_of
from vitcli.images.source.several import NAMED_AGAIN, Several
from vitcli.images.source.source import Folder, Source
from vitcli.images.source.walk import IMAGE_EXTENSIONS
from vitcli.machine.threads import cores
from vitcli.names import counted, extension, first_of

LIST_EXTENSION = ".txt"


@final
class UnlabelledData(ImageData):
    """Pictures without labels, for predict: folders, zips or tars, images, or a text file that lists images.

    Every file below a folder gets a row, in natural order; one that is no image is reported in its row. In a text
    file (``.txt``, UTF-8) each line is a path, relative ones from the folder of the text file.

    The paths of the table are relative to the root. Of several roots, and of a pattern, they are the paths as they were
    named (``photos/a.jpg``, ``photos.zip/cat/1.jpg``), relative ones from the working directory; a file to which two of
    them lead has one row. There a text file is a file like any other.

    Args:
        root: Folder of pictures at any depth, a zip or tar of one, one image file, a ``.txt`` file with one path a
            line, or a pattern such as ``photos/**/*.jpg``; or several of them, ``[a.jpg, b.jpg, c/]``.
        follow_links: Whether links are followed, each file and folder that they lead to once.
        **options: What all image data take.

    Raises:
        ConfigError: A number out of range, or no root.
    """

    def __init__(self, root: str | tuple[str, ...], follow_links: bool = False, **options: Any) -> None:
        super().__init__(
            augment=AUGMENT,
            sampler="shuffle",
            cache="none",
            cache_size=None,
            on_error="skip",
            max_errors=1.0,
            **options,
        )
        self.roots = roots_of(root)
        if not self.roots:
            raise ConfigError("data.root []: names nothing; give folders, images or patterns")
        # all of them, for messages
        self.root = first_of(self.roots)
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
        source, index = self._listed()
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
        source = self._opened()
        if source is None:
            (source, index), file = self._listed(), None
        else:
            file = index_file(self.kept_in, source, "", self.max_pixels, self.preprocess.white)
            index = scan(source, "", IMAGE_EXTENSIONS, file)
        look_through(
            index,
            index.order,
            source,
            max_pixels=self.max_pixels,
            white=self.preprocess.white,
            threads=cores(),
            kept=file,
        )
        return {"images": Pool(index, {"": index.order})}

    @property
    def source(self) -> Source:
        """Where the files lie."""
        return self._opened() or self._listed()[0]

    def _opened(self) -> Source | None:
        """What is to be searched for files; None for one image, and for a list of them."""
        named = spelled_out(self.roots, self.follow_links)
        if len(self.roots) > 1 or is_pattern(self.root):
            return Several(named, self.follow_links)
        if os.path.isdir(self.root) or extension(self.root) in ARCHIVES:
            return open_source(self.root, self.follow_links)
        return None

    def _listed(self) -> tuple[Source, Index]:
        source = self._opened()
        if source is not None:
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
        if again := left_out[NAMED_AGAIN]:
            self._notice(f"{counted(again, 'file')} named more than once: one row each")
        if count := left_out.total() - again - left_out["hidden or system folder"]:
            self._notice(
                f"{count} entries of {self.root} are links or special files: ignored "
                "(data.follow_links true follows links)"
            )

    def _read_list(self) -> list[str]:
        try:
            # a carriage return inside a line belongs to a name
            with open(self.root, encoding="utf-8-sig", errors="surrogateescape", newline="\n") as lines:
                return [path for line in lines if (path := line.rstrip("\r\n")).strip()]
        except OSError as error:
            raise DataError(
                f"data.root {self.root}: cannot be read ({error.strerror}); check its permissions"
            ) from error
