"""Which samples does a split hold, and how is each opened?"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

from PIL import Image

from vitcli.data.images import open_image

UNKNOWN = -1


@final
@dataclass(frozen=True)
class Listing:
    """The samples of one split, in their fixed order: position -> path, label, picture.

    Args:
        paths: As reported to the user: relative to the root, separated by ``/``, in natural order.
        labels: Position of each label in the classes; -1 where it is unknown.
        open: The upright RGB picture at a position; raises ``UnreadableImage``. Travels to worker processes, so
            it must pickle.
    """

    paths: Sequence[str]
    labels: Sequence[int]
    open: Callable[[int], Image.Image]

    def __post_init__(self) -> None:
        if len(self.paths) != len(self.labels):
            raise ValueError(f"{len(self.paths)} paths, but {len(self.labels)} labels")

    def __len__(self) -> int:
        return len(self.paths)


@final
@dataclass(frozen=True)
class FileOpener:
    """Opens the files of a listing by position.

    Args:
        root: Folder that the paths start from.
        paths: Paths below the root, separated by ``/``; absolute ones are taken as they are.
    """

    root: str
    paths: Sequence[str]

    def __call__(self, position: int) -> Image.Image:
        """The upright RGB picture at a position.

        Raises:
            UnreadableImage: The file is no usable image.
        """
        return open_image(os.path.join(self.root, self.paths[position]))


def list_files(root: str, paths: Sequence[str], labels: Sequence[int] | None = None) -> Listing:
    """Files below a folder as a listing; without labels every label is unknown."""
    return Listing(paths, labels if labels is not None else [UNKNOWN] * len(paths), FileOpener(root, paths))
