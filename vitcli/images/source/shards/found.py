"""Whether a root is shards: a folder of tars without pictures of its own, or a pattern of tars."""

from __future__ import annotations

import os

from vitcli.images.source.ranges import is_ranges_pattern
from vitcli.images.source.walk import IMAGE_EXTENSIONS, list_folder
from vitcli.names import extension, is_hidden

TAR = ".tar"
# of splits
MOST_FOLDERS = 16


def is_shards(root: str) -> bool:
    """Whether a root is shards: tars in a folder or in folders in it, where none of these holds a picture.

    Args:
        root: A folder, which is looked at as far as its first picture, or a pattern that ends in ``.tar``.

    Raises:
        DataError: The folder cannot be listed.
    """
    if is_ranges_pattern(root):
        return root.endswith(TAR)
    if not os.path.isdir(root):
        return False
    tars, images, folders = _held(root)
    if images or len(folders) > MOST_FOLDERS:
        return False
    for folder in folders:
        more, images, deeper = _held(os.path.join(root, folder))
        # such as what was unpacked from a tar that lies beside it
        if images or (deeper and not more):
            return False
        tars = tars or more
    return tars


def _held(folder: str) -> tuple[bool, bool, list[str]]:
    """Whether tars lie in a folder, and pictures, and its visible folders; as far as the first picture."""
    tars = False
    folders: list[str] = []
    for entry in list_folder(folder):
        ending = extension(entry.name)
        if is_hidden(entry.name):
            continue
        if ending in IMAGE_EXTENSIONS:
            return tars, True, folders
        if ending == TAR:
            tars = True
        elif entry.is_dir():
            folders.append(entry.name)
    return tars, False, folders
