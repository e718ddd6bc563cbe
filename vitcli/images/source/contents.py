"""Table of contents of a tar in a store: its members and where they begin, kept so that it is gone through once."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

from vitcli.images.source.columns import keep_columns, kept_columns
from vitcli.images.source.far import FarFile
from vitcli.images.source.paths import Paths

# another one where the file is written otherwise; one of another layout is not read
LAYOUT = 2


@final
@dataclass(frozen=True)
class Contents:
    """What a tar holds.

    Args:
        paths: Of the members that are files, as they are in the archive.
        sizes: int64 (members,), in bytes.
        versions: int64 (members,), of each one.
        starts: int64 (members,), where the content begins in the tar.
        left_out: How many entries are no member, by reason.
    """

    paths: Paths
    sizes: NDArray[np.int64]
    versions: NDArray[np.int64]
    starts: NDArray[np.int64]
    left_out: Mapping[str, int]

    def keep(self, folder: Path, tar: FarFile) -> None:
        """Keep this in place of what was known of an earlier version, or go on without: it only saves time.

        Args:
            folder: Of what is found out about files.
            tar: Of which it is; one of which nothing tells when it changes is gone through each time.
        """
        if not tar.version:
            return
        about = {"size": tar.size, "version": tar.version, "left_out": dict(self.left_out)}
        columns = {"sizes": self.sizes, "versions": self.versions, "starts": self.starts}
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            keep_columns(_file(folder, tar), LAYOUT, about, self.paths, columns)

    @classmethod
    def kept(cls, folder: Path, tar: FarFile) -> Self | None:
        """What is known of a tar as it is now, by its size and version; None if it has yet to be gone through."""

        def made(about: dict[str, Any], paths: Paths, held: Mapping[str, NDArray[Any]]) -> Self | None:
            if [about["size"], about["version"]] != [tar.size, tar.version]:
                return None
            left_out = {str(reason): int(count) for reason, count in about["left_out"].items()}
            found = cls(paths, held["sizes"], held["versions"], held["starts"], left_out)
            return found if found._is_sound(tar.size) else None

        return kept_columns(_file(folder, tar), LAYOUT, made)

    def _is_sound(self, size: int) -> bool:
        columns = (self.sizes, self.versions, self.starts, self.paths.ends)
        if any(column.shape != (len(self.paths),) for column in columns):
            return False
        return not len(self.paths) or bool(
            self.sizes.min() >= 0
            and self.starts.min() >= 0
            and (self.starts + self.sizes).max() <= size
            and (np.diff(self.paths.ends) >= 0).all()
            and self.paths.ends[-1] == len(self.paths.joined)
        )


def _file(folder: Path, tar: FarFile) -> Path:
    """One for each tar, whichever version of it is known."""
    place = hashlib.sha256(os.fsencode(f"{tar.ranges.root}\0{tar.name}")).hexdigest()[:16]
    return folder / f"tar-{place}.npz"
