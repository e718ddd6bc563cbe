"""Listing: the samples of a split in their fixed order (path, label), and how each is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from vitcli.images.decode.encoded import MAX_PIXELS, EncodedPicture
from vitcli.images.decode.picture import Picture, UnreadableImage
from vitcli.images.index.index import Index
from vitcli.images.source.source import Source
from vitcli.names import is_url

UNKNOWN = -1
QUARANTINE = "in quarantine"


@final
@dataclass(frozen=True)
class FileOpener:
    """Opens the files of a listing by position.

    Args:
        source: Where they lie.
        paths: Their paths in it.
        max_pixels: Images of more pixels are not decoded.
        quarantined: Paths that are not opened.
    """

    source: Source
    paths: Sequence[str]
    max_pixels: int = MAX_PIXELS
    quarantined: frozenset[str] = frozenset()

    @property
    def is_far(self) -> bool:
        """Whether the files lie in a store, which takes long to answer."""
        return is_url(self.source.root)

    def ahead(self, positions: Iterable[int]) -> None:
        """Have the source fetch what will be opened soon, in this order."""
        self.source.ahead([self.paths[position] for position in positions])

    def __call__(self, position: int) -> Picture:
        """The picture at a position.

        Raises:
            UnreadableImage: The file is no usable image, or in quarantine.
        """
        path = self.paths[position]
        if path in self.quarantined:
            raise UnreadableImage(QUARANTINE)
        return EncodedPicture(self.source.read(path), self.max_pixels)


@final
@dataclass(frozen=True)
class Listing:
    """The samples of one split, in their fixed order: position -> path, label, picture.

    Args:
        paths: As reported to the user: relative to the root, separated by ``/``, in natural order.
        labels: int64 (samples,), position of each label in the classes; -1 where it is unknown.
        open: The picture at a position; raises ``UnreadableImage``. Travels to worker processes, so it must pickle.
        index: What is known of the files; None where the samples are no files.
        rows: The row of each sample in the index.
        mark: Fingerprint of samples that are no files: changes with any of their pixels.
    """

    paths: Sequence[str]
    labels: NDArray[np.int64]
    open: Callable[[int], Picture]
    index: Index | None = None
    rows: NDArray[np.int64] | None = None
    mark: str = ""

    def __post_init__(self) -> None:
        if len(self.paths) != len(self.labels):
            raise ValueError(f"{len(self.paths)} paths, but {len(self.labels)} labels")

    def __len__(self) -> int:
        return len(self.paths)

    def __getstate__(self) -> dict[str, object]:
        # worker processes only open pictures; the index is not sent to them
        return {**self.__dict__, "index": None, "rows": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)

    def fingerprint(self) -> str:
        """A hash that changes with any of the samples."""
        return self.mark if self.index is None or self.rows is None else self.index.fingerprint(self.rows)

    def sizes(self) -> list[tuple[int, int]]:
        """Upright height and width of each sample as far as they are known, in pixels."""
        if self.index is None or self.rows is None:
            return []
        columns = (self.index.columns[side][self.rows] for side in ("height", "width"))
        return [(height, width) for height, width in np.stack(list(columns), axis=1).tolist() if height]

    def opened_by(self, opener: Callable[[int], Picture]) -> Listing:
        """The same samples, opened in another way."""
        return replace(self, open=opener)

    def without(self, positions: NDArray[np.int64]) -> Listing:
        """The same without some samples; only of files."""
        assert isinstance(self.open, FileOpener)
        assert self.index is not None
        assert self.rows is not None
        rows = np.delete(self.rows, positions)
        paths = self.index.paths.take(rows)
        labels = np.delete(self.labels, positions)
        return Listing(paths, labels, replace(self.open, paths=paths), self.index, rows)


def list_files(
    opener: FileOpener, index: Index, rows: NDArray[np.int64], labels: NDArray[np.int64] | None = None
) -> Listing:
    """Files of an index as a listing; without labels every label is unknown.

    Args:
        opener: How they are opened; its paths are replaced.
        index: What is known of the files.
        rows: Those that are meant, in their order.
        labels: int64 (samples,).
    """
    paths = index.paths.take(rows)
    if labels is None:
        labels = np.full(len(rows), UNKNOWN, dtype=np.int64)
    return Listing(paths, labels, replace(opener, paths=paths), index, rows)
