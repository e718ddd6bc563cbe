"""How is a downloaded zip unpacked so that neither its content nor an interruption can do harm?"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import zipfile
from pathlib import PurePosixPath

from tqdm import tqdm

from vitcli.errors import DataError

# Kaggle's train.zip holds 25,000 photos in 570 MB; what is far beyond that is not cats and dogs.
MOST_FILES = 200_000
MOST_BYTES = 20 * 2**30
# Photos hardly shrink in a zip; a file that grows a hundredfold is a bomb. Small ones may be anything.
MOST_GROWTH = 100
GROWTH_FROM_BYTES = 2**20


def unpack(archive: str) -> str:
    """The folder beside a zip with its files: unpacked now, or found from an earlier run.

    It is unpacked into a temporary folder that gets its name at the very end, so that what an interrupted run
    leaves behind is never taken for the whole.

    Args:
        archive: A zip file; ``pets/train.zip`` becomes ``pets/train``.

    Raises:
        DataError: The file is no zip or is damaged, or it holds links, paths outside of its folder, or more than
            a collection of photos would.
    """
    folder = os.path.splitext(archive)[0]
    if os.path.isdir(folder):
        return folder
    beside = os.path.dirname(archive) or "."
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            _check(archive, members)
            unfinished = tempfile.mkdtemp(prefix=".unpacking-", dir=beside)
            try:
                for member in tqdm(members, desc=f"unpacking {archive}", unit=" files", disable=None, leave=False):
                    _write(opened, member, unfinished)
                os.chmod(unfinished, 0o755)
                os.rename(unfinished, folder)
            except BaseException:
                shutil.rmtree(unfinished, ignore_errors=True)
                raise
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise DataError(f"data.root {archive}: is no whole zip file ({error}) - download it again") from error
    except OSError as error:
        if os.path.isdir(folder):
            # Another process was faster.
            return folder
        raise DataError(
            f"data.root {archive}: cannot be unpacked ({error.strerror}) - check space and rights"
        ) from error
    return folder


def _check(archive: str, members: list[zipfile.ZipInfo]) -> None:
    """Everything that the directory of the zip can tell, before a byte is written."""
    what = f"data.root {archive}"
    remedy = "download it again from its source"
    if len(members) > MOST_FILES:
        raise DataError(f"{what}: holds {len(members)} files, more than {MOST_FILES} - {remedy}")
    size = sum(member.file_size for member in members)
    if size > MOST_BYTES:
        raise DataError(f"{what}: would unpack to {size >> 30} GiB, more than {MOST_BYTES >> 30} - {remedy}")
    for member in members:
        path = PurePosixPath(member.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            raise DataError(f"{what}: {member.filename!r} points outside of its folder - {remedy}")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise DataError(f"{what}: {member.filename!r} is a link - {remedy}")
        if member.file_size > max(GROWTH_FROM_BYTES, MOST_GROWTH * member.compress_size):
            raise DataError(f"{what}: {member.filename!r} grows more than {MOST_GROWTH} times - {remedy}")


def _write(opened: zipfile.ZipFile, member: zipfile.ZipInfo, folder: str) -> None:
    # By hand, since extract() would repair a suspicious path where refusing it is right. Reading stops at the size
    # that the directory gives and then compares the checksum, so a member cannot grow beyond what was checked.
    target = os.path.join(folder, *PurePosixPath(member.filename.replace("\\", "/")).parts)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with opened.open(member) as source, open(target, "wb") as sink:
        shutil.copyfileobj(source, sink)
