"""Images of a table that is being written, as its work folder keeps them: another start finds out what has changed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, final

import vitcli
from vitcli.images.index.listing import FileOpener, Listing
from vitcli.images.source.source import Folder
from vitcli.names import resolved
from vitcli.table.listed import Listed, fingerprint

# of the work folder and the journals in it
LAYOUT = 1
# the code that the rows come from
VERSION = f"{vitcli.__version__}, {LAYOUT}"


@final
class Images:
    """The images of a listing, as a table's work folder keeps them.

    Args:
        listing: The listing.
        classes: Names of the classes.
    """

    def __init__(self, listing: Listing, classes: tuple[str, ...]) -> None:
        self._listing = listing
        self._classes = classes
        self._fingerprint = ""

    @property
    def fingerprint(self) -> str:
        """A hash that changes with any of them."""
        self._fingerprint = self._fingerprint or fingerprint(self)
        return self._fingerprint

    def __len__(self) -> int:
        return len(self._listing)

    def __contains__(self, image: object) -> bool:
        return any(image == other for other in self)

    def __iter__(self) -> Iterator[Listed]:
        listing = self._listing
        for position, path in enumerate(listing.paths):
            size, version = self._version(position)
            yield Listed(path, size, version, label_of(listing, self._classes, position))

    def _version(self, position: int) -> tuple[int, int]:
        index, rows, opener = self._listing.index, self._listing.rows, self._listing.open
        if index is None or rows is None:
            return 0, 0
        size, version = (int(index.columns[name][rows[position]]) for name in ("size", "version"))
        if not size and not version and isinstance(opener, FileOpener) and isinstance(opener.source, Folder):
            # one that was not found in a folder but named, such as in a list
            try:
                status = Path(opener.source.root, opener.paths[position]).stat()
            except OSError:
                return 0, 0
            return status.st_size, status.st_mtime_ns
        return size, version


def label_of(listing: Listing, classes: tuple[str, ...], position: int) -> str:
    """The name of an image's class; empty when unknown."""
    label = listing.labels[position]
    return classes[label] if label >= 0 else ""


def depends_on_images(
    listing: Listing, roots: Sequence[str], kind: Sequence[str], quarantined: Collection[str], max_pixels: int
) -> dict[str, Any]:
    """What of the images the numbers of a table depend on, in plain values, under names that a message can use.

    Args:
        listing: The images.
        roots: Where they are, as named.
        kind: Of what kind they are, and which of them.
        quarantined: Paths that are left out in any case.
        max_pixels: Images of more pixels are not decoded.
    """
    left_out = "\0".join(sorted(quarantined)).encode("utf-8", "surrogateescape")
    where = [*roots, listing.open.source.root] if isinstance(listing.open, FileOpener) else roots
    return {
        "data.root": [*kind, *(resolved(root) if root else "" for root in where)],
        "images": listing.mark,
        "data.max_pixels": max_pixels,
        "data.quarantine": hashlib.sha256(left_out).hexdigest() if left_out else "",
    }
