"""Placing an image in a folder: as a link to its file or as a copy, under a free name; nothing is overwritten."""

from __future__ import annotations

import contextlib
import filecmp
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal, final

from vitcli.errors import ConfigError
from vitcli.images.sorting.safe import file_names
from vitcli.images.source.source import Source

By = Literal["link", "copy"]
PART = ".part"


@final
class Places:
    """Folders in a folder, into which images are put.

    Links are symbolic and hold the whole path, so that the folder can be moved; one that is deleted leaves its image.
    An image inside of an archive is always written out.

    Args:
        root: The folder.
        by: link or copy.

    Raises:
        OSError: A folder or file cannot be written; its file name is the place.
    """

    def __init__(self, root: Path, by: By) -> None:
        self.root = root
        self.by = by
        self._made: set[str] = set()

    def put(self, folder: str, path: str, source: Source) -> str:
        """Put an image into a folder, unless it is there already.

        Args:
            folder: Name of the folder, which is made.
            path: Of the image in its source.
            source: Where it lies.

        Returns:
            ``placed``, ``gone`` for one that is there no longer or cannot be copied, or ``taken`` if its names belong
            to other files.
        """
        file = source.file(path)
        if file is not None and not (
            os.path.lexists(file) if self.by == "link" else os.path.isfile(file) and os.access(file, os.R_OK)
        ):
            return "gone"
        if folder not in self._made:
            self._make(folder)
        names = [self.root / folder / name for name in dict.fromkeys(file_names(path))]
        if file is None:
            content = source.read(path)
            return self._first(names, lambda name: self._write(name, content))
        absolute = os.path.abspath(file)
        how = self._link if self.by == "link" else self._copy
        return self._first(names, lambda name: how(name, absolute))

    def _make(self, folder: str) -> None:
        try:
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise ConfigError(f"{self.root / folder}: is no folder; remove it, or name another place") from error
        self._made.add(folder)

    def _first(self, names: list[Path], put: Callable[[Path], bool]) -> str:
        return "placed" if any(put(name) for name in names) else "taken"

    def _link(self, name: Path, file: str) -> bool:
        try:
            name.symlink_to(file)
        except FileExistsError:
            return name.is_symlink() and os.readlink(name) == file
        return True

    def _copy(self, name: Path, file: str) -> bool:
        if os.path.lexists(name):
            return name.is_file() and not name.is_symlink() and filecmp.cmp(file, name)
        return self._moved(name, lambda part: shutil.copy2(file, part))

    def _write(self, name: Path, content: bytes) -> bool:
        if os.path.lexists(name):
            return name.is_file() and not name.is_symlink() and name.read_bytes() == content
        return self._moved(name, lambda part: part.write_bytes(content))

    def _moved(self, name: Path, write: Callable[[Path], object]) -> bool:
        """Write beside the folders, and give the file its name when it is whole."""
        part = self.root / PART
        try:
            write(part)
            try:
                # unlike a renaming, never in the place of another file
                os.link(part, name)
            except FileExistsError:
                return False
            except OSError:
                # a file system without hard links
                part.rename(name)
        except OSError as error:
            error.filename = os.fspath(name)
            raise
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
        return True
