"""Unlabelled images: the files that folders, archives, patterns, lists and single paths stand for, in their order."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

from vitcli.errors import ConfigError, DataError
from vitcli.images.index.index import Index
from vitcli.images.source.archive import ARCHIVES
from vitcli.images.source.entries import Entries, Entry
from vitcli.images.source.open import open_source
from vitcli.images.source.pattern import is_pattern, spelled_out
from vitcli.images.source.remote.options import REMOTE, Remote
from vitcli.images.source.several import NAMED_AGAIN, Several
from vitcli.images.source.shards.found import is_shards
from vitcli.images.source.source import Folder, Source
from vitcli.images.source.tables.found import holds_images
from vitcli.names import counted, extension, first_of, is_url
from vitcli.table.read import TABLES, read_table

LIST_EXTENSION = ".txt"
# the column of a table that lists images
PATH = "path"


@final
@dataclass
class Unlabelled:
    """The files of some roots, each once.

    Args:
        roots: Folders, zips, tars, images, patterns; or one ``.txt`` file with one path a line, or one table with a
            column ``path``.
        follow_links: Whether links are followed, each file and folder that they lead to once.
        remote: How an object store is read.
        notices: What the user should be told of what was found, a line each.

    Raises:
        ConfigError: There is no root.
    """

    roots: Sequence[str]
    follow_links: bool = False
    remote: Remote = REMOTE
    notices: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.roots:
            raise ConfigError("data.root []: names nothing; give folders, images or patterns")
        # all of them, for messages
        self.root = first_of(self.roots)

    def opened(self) -> Source | None:
        """What is to be searched for files; None for one image, and for a list of them.

        Raises:
            DataError: A root does not exist, or is damaged.
        """
        far = next(filter(is_url, self.roots), None)
        if far is not None:
            if len(self.roots) > 1:
                raise DataError(f"data.root {far}: is an address, which has to be the only root; predict it alone")
            return open_source(far, remote=self.remote)
        alone = len(self.roots) == 1 and not is_pattern(self.root)
        if alone and os.path.isdir(self.root):
            return open_source(self.root, self.follow_links)
        if alone and (is_shards(self.root) or holds_images(self.root)):
            # braces, which no other pattern has, or a table
            return open_source(self.root)
        named = spelled_out(self.roots, self.follow_links)
        if not alone:
            return Several(named, self.follow_links)
        if extension(self.root) in ARCHIVES:
            return open_source(self.root, self.follow_links)
        return None

    def listed(self) -> tuple[Source, Index]:
        """Where the files lie, and which they are.

        Raises:
            DataError: A root does not exist, or cannot be listed.
        """
        source = self.opened()
        if source is not None:
            entries, left_out = source.files()
            self._say(left_out)
            return source, Index.of(entries, left_out)
        if extension(self.root) not in (LIST_EXTENSION, *TABLES):
            folder, name = os.path.split(self.root)
            return Folder(folder), Index.of(Entries([Entry(name, 0, 0)]))
        index = Index.of(Entries(Entry(path, 0, 0) for path in self._listed_paths()))
        # in the order of the list
        index.order.sort()
        return Folder(os.path.dirname(self.root)), index

    def found(self) -> tuple[Source, Index]:
        """As listed, and there are some.

        Raises:
            DataError: As listed raises it, or there is no file at all.
        """
        source, index = self.listed()
        if not len(index):
            links = index.left_out["link"]
            only = f", but {counted(links, 'link')}; set data.follow_links true, or" if links else ";"
            raise DataError(
                f"data.root {self.root}: no files in it{only} name a folder of pictures, an image or a list"
            )
        return source, index

    def _say(self, left_out: Counter[str]) -> None:
        told = []
        if again := left_out[NAMED_AGAIN]:
            told.append(f"{counted(again, 'file')} named more than once: one row each")
        if count := left_out.total() - again - left_out["hidden or system folder"]:
            told.append(
                f"{count} entries of {self.root} are links or special files: ignored "
                "(data.follow_links true follows links)"
            )
        self.notices += [line for line in told if line not in self.notices]

    def _listed_paths(self) -> list[str]:
        if extension(self.root) == LIST_EXTENSION:
            return self._read_list()
        paths = []
        for number, row in enumerate(read_table(self.root, "data.root"), 1):
            path = row.get(PATH)
            if not isinstance(path, str) or not path.strip() or "\0" in path:
                raise DataError(
                    f"data.root {self.root}, row {number}: no {PATH!r} (columns: {', '.join(map(str, row))}); a table "
                    "lists images in a column of that name, a text file one a line"
                )
            paths.append(path)
        return paths

    def _read_list(self) -> list[str]:
        try:
            # a carriage return inside a line belongs to a name
            with open(self.root, encoding="utf-8-sig", errors="surrogateescape", newline="\n") as lines:
                return [path for line in lines if (path := line.rstrip("\r\n")).strip()]
        except OSError as error:
            raise DataError(
                f"data.root {self.root}: cannot be read ({error.strerror}); check its permissions"
            ) from error
