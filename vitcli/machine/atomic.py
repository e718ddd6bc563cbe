"""Atomic file writes: a file is there as a whole or not at all, also after a loss of power; an earlier one is kept."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import socket
import time
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

# the temporary name of a file: whose it is, by machine and process
PART = re.compile(r"[.](.+)[.]([0-9a-f]{8})-(\d+)[.]part")
# of another machine's, whose processes cannot be looked for
ABANDONED_AFTER_SECONDS = 86400.0


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path to write to; the file replaces ``path`` once it is complete, and is removed after an error.

    The content is on the disk before the name is, and the name before this returns: a loss of power leaves the old file
    or the new one. Of several processes that write the same file, the last one has it.

    Args:
        path: The file to replace, which errors of the system name too.
    """
    sweep(path.parent, path.name)
    part = part_of(path)
    try:
        with told_as(path, part):
            yield part
            sync(part)
            part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    sync(path.parent)


@contextlib.contextmanager
def told_as(path: Path, part: Path) -> Iterator[None]:
    """Errors of the system about a temporary file or folder name what the user knows of.

    Args:
        path: What is named.
        part: The temporary file, or the folder, of which anything in it counts too.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error.filename, str | bytes) and Path(os.fsdecode(error.filename)).is_relative_to(part):
            error.filename = str(path)
        raise


@contextlib.contextmanager
def folders_for(path: Path) -> Iterator[None]:
    """Make the folders above a file that is to be written; after an error, those made are gone again if they are empty.

    Args:
        path: The file.
    """
    made = [folder for folder in path.absolute().parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            for folder in made:
                folder.rmdir()
        raise


def part_of(path: Path) -> Path:
    """The temporary name of a file while this process writes it, by which sweep knows whose it was."""
    return path.with_name(f".{path.name}.{_machine()}-{os.getpid()}.part")


def sync(path: Path) -> None:
    """Have the content of a file, or the names in a folder, on the disk.

    Args:
        path: The file or folder.

    Raises:
        OSError: The disk has not taken it. What cannot be synced, as folders on some network disks, is passed over.
    """
    try:
        opened = os.open(path, os.O_RDONLY)
    except PermissionError:
        # may be written to, and not read
        return
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.ENOTSUP):
            raise
    finally:
        os.close(opened)


def sweep(folder: Path, name: str | None = None) -> None:
    """Remove what killed processes have left of files that they were writing.

    Args:
        folder: Where the files lie.
        name: Of the file that they were writing; None: any.
    """
    with contextlib.suppress(OSError):
        for found in folder.iterdir():
            match = PART.fullmatch(found.name)
            if match is None or name not in (None, match[1]):
                continue
            age = time.time() - found.stat().st_mtime
            dead = not is_alive(int(match[3])) if match[2] == _machine() else age > ABANDONED_AFTER_SECONDS
            if dead:
                found.unlink(missing_ok=True)


def _machine() -> str:
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def is_alive(pid: int) -> bool:
    """Whether a process of this machine runs.

    Args:
        pid: Its number.
    """
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def write_json(path: Path, content: Mapping[str, Any], *, allow_nan: bool = True) -> None:
    """Write JSON to be read by people too; names that are no UTF-8 are written with backslashes.

    Args:
        path: The file, which is there as a whole or not at all.
        content: What it says.
        allow_nan: Whether numbers may be none, for which JSON has no word.

    Raises:
        ValueError: A number is none and may not be.
    """
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=allow_nan)
    with replacing(path) as part:
        part.write_bytes(text.encode("utf-8", "backslashreplace") + b"\n")


def keep_previous(path: Path, *, stays: bool = False) -> Path | None:
    """Move a file out of the way of a new one of its name; nothing is overwritten.

    Args:
        path: The name that the new file will take.
        stays: Whether the file also stays under its name, which the new one will replace: there is one at all times.

    Returns:
        Where the earlier one lies now: ``name-1`` for the first, ``name-2`` for the next; None if there was none.
    """
    if not path.exists():
        return None
    number = 1
    while (kept := path.with_name(f"{path.stem}-{number}{path.suffix}")).exists():
        number += 1
    if stays:
        shutil.copy2(path, kept)
    else:
        path.rename(kept)
    return kept
