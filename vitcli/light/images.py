"""The images that are predicted by an exported net: every file of some roots, or of folders named after classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from vitcli.errors import DataError
from vitcli.images.division.class_names import ClassNames
from vitcli.images.division.split_folders import find_split_folders
from vitcli.images.index.index import Index
from vitcli.images.index.left_out import REMEDIES, what_to_do
from vitcli.images.index.listing import UNKNOWN, FileOpener, Listing, list_files
from vitcli.images.index.unlabelled import Unlabelled
from vitcli.images.source.open import open_source
from vitcli.images.source.roots import one_path
from vitcli.images.source.walk import IMAGE_EXTENSIONS
from vitcli.names import counted

UNLABELLED, FOLDERS = "UnlabelledData", "FolderData"


@final
@dataclass(frozen=True)
class Found:
    """Images to be predicted.

    Args:
        listing: They, in their order.
        notices: What the user should be told of them, a line each.
    """

    listing: Listing
    notices: list[str]


def unlabelled(
    roots: Sequence[str], *, follow_links: bool = False, max_pixels: int, quarantined: frozenset[str] = frozenset()
) -> Found:
    """Every file of some roots, as UnlabelledData has them.

    Args:
        roots: Folders, zips, tars, images, patterns; or one ``.txt`` file with one path a line.
        follow_links: Whether links are followed.
        max_pixels: Images of more pixels are not decoded.
        quarantined: Paths that are not opened.

    Raises:
        DataError: A root does not exist, cannot be listed, or there is no file at all.
        ConfigError: There is no root.
    """
    files = Unlabelled(roots, follow_links)
    source, index = files.found()
    return Found(list_files(FileOpener(source, (), max_pixels, quarantined), index, index.order), files.notices)


def labelled(
    root: str,
    classes: tuple[str, ...],
    *,
    follow_links: bool = False,
    max_pixels: int,
    quarantined: frozenset[str] = frozenset(),
) -> Found:
    """All images below a folder, labelled by the class folder in which they lie, as FolderData has them for predict.

    Args:
        root: Folder, zip or tar of class folders, or of folders of splits with class folders in them.
        classes: The model's, by which labels are matched.
        follow_links: Whether links are followed.
        max_pixels: Images of more pixels are not decoded.
        quarantined: Paths that are not opened.

    Raises:
        DataError: There is no such folder, it cannot be listed, or it holds no images.
        ConfigError: Several roots.
    """
    root = one_path(root, FOLDERS)
    source = open_source(root, follow_links)
    splits = find_split_folders(source, said=None, classes=classes, flat=False)
    entries, left_out = source.files("", IMAGE_EXTENSIONS)
    index = Index.of(entries, left_out)
    if not len(index):
        remedy = what_to_do(index.left_out) or "name a folder, an archive or a table of images"
        raise DataError(f"data.root {root}: no images in it; {remedy}")
    named, places = ClassNames(classes), {name: place for place, name in enumerate(classes)}
    starts = [f"{folder}/" for folder in splits.inside.values()]

    def label(path: str) -> int:
        start = next((start for start in starts if path.startswith(start)), None)
        folders = path[len(start or "") :].split("/")
        if (start is None and starts) or len(folders) < 2:
            return UNKNOWN
        return places.get(named(folders[0]), UNKNOWN)

    labels = np.array([label(path) for path in index.paths.take(index.order)], dtype=np.int64)
    notices = [*splits.notices]
    said = [f"{count} ({reason}{REMEDIES.get(reason, '')})" for reason, count in left_out.most_common() if count]
    notices += [f"left out of {source.where()}: {', '.join(said)}"] if said else []
    if unknown := int((labels == UNKNOWN).sum()):
        notices.append(f"{counted(unknown, 'image')} with no label that the model knows: predicted without one")
    return Found(list_files(FileOpener(source, (), max_pixels, quarantined), index, index.order, labels), notices)
