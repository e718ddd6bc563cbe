"""Guess of the layout: the image data class that a folder, archive or table looks like."""

from __future__ import annotations

from vitcli.data import CatsDogsData, FolderData, ManifestData, ParquetData, ShardsData, UnlabelledData
from vitcli.data.layouts.cats_dogs import kind
from vitcli.errors import DataError
from vitcli.images.division.class_names import UnusableNameError
from vitcli.images.source.archive import Tar
from vitcli.images.source.shards.shards import Shards
from vitcli.images.source.shards.table import NONE
from vitcli.images.source.tables.found import holds_images
from vitcli.images.source.walk import IMAGE_EXTENSIONS, unwanted
from vitcli.names import at_home, extension
from vitcli.table.read import TABLES


def guess(root: str, follow_links: bool = False, splits: dict[str, str] | None = None) -> str:
    """The class of image data that a root looks like.

    Args:
        root: A folder, archive or table.
        follow_links: Whether links in a folder are followed.
        splits: Folders of splits, where they are said.

    Raises:
        DataError: There is no such root, or a class of it has a name that cannot be used.
    """
    root = at_home(root)
    if holds_images(root):
        return ParquetData.__name__
    if extension(root) in TABLES:
        return ManifestData.__name__
    folders = FolderData(root, follow_links=follow_links, splits=splits)
    source = folders.source
    if isinstance(source, Shards) and (source.table.codes != NONE).any():
        return ShardsData.__name__
    if isinstance(source, Tar) and source.files("", IMAGE_EXTENSIONS)[1][unwanted("x.cls", IMAGE_EXTENSIONS)]:
        # a single shard
        return ShardsData.__name__
    # an error where it is not clear which folders are splits: that is for the user to say
    inside = set(folders.split_folders().inside.values())
    try:
        if len(folders.find_classes()) >= 2:
            return FolderData.__name__
    except UnusableNameError:
        # of a folder that is to be renamed, and no reason to look for another layout, which would leave it out
        raise
    except DataError:
        pass
    found, _ = source.files("", IMAGE_EXTENSIONS)
    inner = (path.partition("/")[2] for path in found.paths if path.partition("/")[0] in inside)
    if any(map(kind, found.paths)) or any(map(kind, inner)):
        return CatsDogsData.__name__
    return UnlabelledData.__name__
