"""Older checkpoints: the files that last.ckpt was before, kept beside it under the step of each."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

LAST = "last.ckpt"
OLDER = re.compile(r"last-(\d+)[.]ckpt")


def keep_older(last: Path, step: int, most: int) -> None:
    """Give last.ckpt, just written, a second name that stays when it is replaced; of older ones, the newest stay.

    The second name is a hard link, which takes no room; where there are none, a copy. What cannot be done is left:
    these files are more than a run needs.

    Args:
        last: last.ckpt.
        step: At which it was written.
        most: How many older ones stay.
    """
    name = last.with_name(f"last-{step}.ckpt")
    with suppress(OSError):
        name.unlink(missing_ok=True)
        try:
            os.link(last, name)
        except OSError:
            shutil.copyfile(last, name)
        for outdated in older(last.parent)[most + 1 :]:
            outdated.unlink(missing_ok=True)


def older(folder: Path) -> list[Path]:
    """The older checkpoints, from the newest on; a run that has gone back to an earlier step has newer ones behind it.

    Args:
        folder: Of the checkpoints.
    """
    found = []
    with suppress(OSError):
        for path in folder.iterdir():
            if match := OLDER.fullmatch(path.name):
                found.append((path.stat().st_mtime_ns, int(match[1]), path))
    return [path for _, _, path in sorted(found, reverse=True)]
