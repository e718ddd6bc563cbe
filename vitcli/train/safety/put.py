"""Writing one checkpoint file: sealed, on the disk, read back, and only then in the place of the old one."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import torch

from vitcli.machine.atomic import replacing
from vitcli.weights.seal import Sealing, is_intact

READ_BACK = "reads back otherwise than it was written"


def put(known: Mapping[str, Any] | Path, path: Path) -> None:
    """Write a checkpoint.

    Args:
        known: Its tensors and plain values, or a file that holds them already.
        path: Its file, which is the old one until the new one is known to be whole.

    Raises:
        OSError: The disk is full, gone, read-only or broken; the old file is as it was.
    """
    if isinstance(known, Path):
        with known.open("rb") as whole:
            _put(path, lambda file: shutil.copyfileobj(whole, file, 2**24))
    else:
        _put(path, lambda file: _save(known, file))


def _save(checkpoint: Mapping[str, Any], file: BinaryIO) -> None:
    sealing = Sealing(file)
    # all that torch asks of a file is to write and to flush it
    torch.save(checkpoint, cast(IO[bytes], sealing))
    sealing.close()


def _put(path: Path, fill: Callable[[BinaryIO], None]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            with part.open("wb") as file:
                fill(file)
                file.flush()
                os.fsync(file.fileno())
                # so that it is read from the disk, and not from memory
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            if is_intact(part) is not True:
                raise OSError(errno.EIO, READ_BACK, str(path))
    except (OSError, RuntimeError) as error:
        # torch's error names a position in the file; the reason is in its context
        reason = _of_the_disk(error)
        if reason is None or reason is error:
            raise
        raise reason from error


def _of_the_disk(error: BaseException | None) -> OSError | None:
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error
