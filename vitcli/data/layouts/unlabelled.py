"""UnlabelledData: images without labels, for predict; one row for each file, readable or not."""

from __future__ import annotations

from typing import Any, final

from vitcli.data.batches.datamodule import AUGMENT, Split
from vitcli.data.module import ImageData
from vitcli.errors import DataError
from vitcli.images.division.splits import Pool
from vitcli.images.index.index import index_file, scan
from vitcli.images.index.listing import FileOpener, Listing, list_files
from vitcli.images.index.look_through import look_through
from vitcli.images.index.unlabelled import Unlabelled
from vitcli.images.source.remote.options import REMOTE, Remote, unused
from vitcli.images.source.roots import roots_of
from vitcli.images.source.source import Source
from vitcli.images.source.walk import IMAGE_EXTENSIONS
from vitcli.machine.threads import cores


@final
class UnlabelledData(ImageData):
    """Pictures without labels, for predict: folders, zips or tars, images, or a text file or table that lists images.

    Every file below a folder gets a row, in natural order; one that is no image is reported in its row. In a text
    file (``.txt``, UTF-8) each line is a path, relative ones from the folder of the text file; in a table (``.csv``,
    ``.tsv``, ``.jsonl``, ``.parquet``) the column ``path`` holds them.

    The paths of the table are relative to the root. Of several roots, and of a pattern, they are the paths as they were
    named (``photos/a.jpg``, ``photos.zip/cat/1.jpg``), relative ones from the working directory; a file to which two of
    them lead has one row. There a text file is a file like any other.

    Args:
        root: Folder of pictures at any depth, a zip or tar of one, one image file, a ``.txt`` file with one path a
            line, a table with a column ``path``, or a pattern such as ``photos/**/*.jpg``; or several of them,
            ``[a.jpg, b.jpg, c/]``.
        follow_links: Whether links are followed, each file and folder that they lead to once.
        remote: How an object store is read, where the root is an address (``s3://``, ``gs://``, ``az://``,
            ``https://``, ``hf://``).
        **options: What all image data take.

    Raises:
        ConfigError: A number out of range, or no root.
    """

    def __init__(
        self,
        root: str | tuple[str, ...],
        follow_links: bool = False,
        remote: Remote = REMOTE,
        **options: Any,
    ) -> None:
        super().__init__(
            augment=AUGMENT,
            sampler="shuffle",
            cache="none",
            cache_size=None,
            on_error="skip",
            max_errors=1.0,
            **options,
        )
        self._files = Unlabelled(roots_of(root), follow_links, remote)
        self.roots = self._files.roots
        self.root = self._files.root
        self.follow_links = follow_links
        self.remote = remote
        self.unused |= unused(*self.roots)

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
        source, index = self._files.found()
        self._say()
        rows = index.order
        return list_files(FileOpener(source, (), self.max_pixels, self.quarantined), index, rows)

    def look_at_all(self) -> dict[str, Pool]:
        """Every image below the root, inspected; without labels there is one class, with an empty name.

        Raises:
            DataError: The files cannot be listed.
        """
        source = self._files.opened()
        if source is None:
            (source, index), file = self._files.listed(), None
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
        return self._files.opened() or self._files.listed()[0]

    def _say(self) -> None:
        for text in self._files.notices:
            self._notice(text)
