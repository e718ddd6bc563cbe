"""Source: files in a folder or in an archive, to be listed and read."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Sequence
from typing import final

from vitcli.images.decode.encoded import read_file
from vitcli.images.source.entries import Entries
from vitcli.images.source.walk import find_files, find_folders


class Source(ABC):
    """Files under paths that are separated by ``/``.

    Args:
        root: The folder or the archive.
        named: What of the folder was named, where that is not all of it.
    """

    def __init__(self, root: str, named: Sequence[str] = ()) -> None:
        self.root = root
        self.named = tuple(named)

    @abstractmethod
    def folders(self, inside: str = "") -> list[str]:
        """Names of the visible folders directly in a folder, in natural order.

        Raises:
            DataError: The folder cannot be listed.
        """

    @abstractmethod
    def files(
        self, inside: str = "", extensions: Collection[str] | None = None, deep: bool = True
    ) -> tuple[Entries, Counter[str]]:
        """The files below a folder, in any order, and how many entries were left out, by reason.

        Args:
            inside: The folder to begin in.
            extensions: Lower-case endings to look for; None takes every file, hidden ones too.
            deep: Whether folders in the folder are entered.

        Raises:
            DataError: A folder cannot be listed.
        """

    @abstractmethod
    def read(self, path: str) -> bytes:
        """The bytes of a file.

        Raises:
            UnreadableImage: It is missing, or cannot be read.
        """

    @abstractmethod
    def ahead(self, paths: Sequence[str]) -> None:
        """Files that will be read soon, in this order, so that a store can be asked for them now."""

    @abstractmethod
    def file(self, path: str) -> str | None:
        """The file on the disk that holds an image and nothing else; None for one inside of an archive."""

    def where(self, *inside: str) -> str:
        """A place in it, for a message."""
        return os.path.join(self.root, *filter(None, inside))


@final
class Folder(Source):
    """Files below a folder.

    Args:
        root: The folder.
        follow_links: Whether links are followed.
    """

    def __init__(self, root: str, follow_links: bool = False) -> None:
        super().__init__(root)
        self.follow_links = follow_links

    def folders(self, inside: str = "") -> list[str]:
        """Names of the visible folders directly in a folder, in natural order."""
        return find_folders(os.path.join(self.root, inside), self.follow_links)

    def files(
        self, inside: str = "", extensions: Collection[str] | None = None, deep: bool = True
    ) -> tuple[Entries, Counter[str]]:
        """The files below a folder."""
        return find_files(self.root, inside=inside, extensions=extensions, deep=deep, follow_links=self.follow_links)

    def read(self, path: str) -> bytes:
        """The bytes of a file."""
        return read_file(os.path.join(self.root, path))

    def ahead(self, paths: Sequence[str]) -> None:
        """Nothing: the system reads ahead by itself."""

    def file(self, path: str) -> str | None:
        """The file below the folder."""
        return os.path.join(self.root, path)
