"""KeptRows: rows of float32 in a file that grows batch by batch, so that a killed start loses one batch, not all."""

from __future__ import annotations

import fcntl
import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, final

import numpy as np
from numpy.typing import NDArray

# a finished file ends with the digest of its rows
DIGEST_BYTES = 32
# the newest files of other images and nets, that stay when another is written
KEEP = 8
PATTERN = "features-*.rows"


@final
class KeptRows:
    """Rows on disk under a name that says what they are rows of; or nowhere, where no file can be had.

    The file holds whole batches, then, once all rows are there, their digest. One process at a time writes it: another
    one with the same images and net computes for itself. A disk that is full or read-only costs the file alone.

    Args:
        folder: Where such files lie; None: nowhere.
        of: All that the rows depend on, as a text.
    """

    def __init__(self, folder: Path | None, of: str) -> None:
        self._file: BinaryIO | None = None
        self._is_finished = False
        self._digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
        if folder is None:
            return
        path = folder / f"features-{hashlib.sha256(of.encode()).hexdigest()[:24]}.rows"
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), "r+b", buffering=0)
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                self._let_go()
            else:
                os.utime(path)
                _sweep(folder, path)

    def take(self, rows: NDArray[np.float32], size: int) -> int:
        """Fill the first rows with those of an earlier start.

        Args:
            rows: (rows, ...) of float32, contiguous; what is damaged or does not fit is computed again.
            size: Rows of a batch; of a file without its end, whole batches count.

        Returns:
            How many they are.
        """
        if self._file is None or not len(rows):
            return 0
        try:
            content = self._file.read()
            whole = rows.nbytes
            if len(content) == whole + DIGEST_BYTES:
                self._digest.update(content[:whole])
                self._is_finished = self._digest.digest() == content[whole:]
            row_bytes = whole // len(rows)
            # without a digest, whether a file fits is seen by its size alone
            count = len(rows)
            if not self._is_finished:
                held = 0 if len(content) > whole else len(content) // row_bytes
                count = held if held == len(rows) else held - held % size
                self._digest = hashlib.blake2b(content[: count * row_bytes], digest_size=DIGEST_BYTES)
                self._file.truncate(count * row_bytes)
                self._file.seek(count * row_bytes)
        except OSError:
            self._let_go()
            return 0
        earlier = np.frombuffer(content, dtype=np.float32, count=count * row_bytes // 4)
        rows.reshape(-1)[: len(earlier)] = earlier
        return count

    def add(self, rows: NDArray[np.float32]) -> None:
        """Write the next rows."""
        if self._file is not None and not self._is_finished:
            self._write(np.ascontiguousarray(rows).tobytes())

    def finish(self) -> None:
        """All rows are there."""
        if self._file is not None and not self._is_finished:
            self._write(self._digest.digest())
        self._let_go()

    def _write(self, content: bytes) -> None:
        assert self._file is not None
        try:
            self._digest.update(content)
            view = memoryview(content)
            while view:
                view = view[self._file.write(view) :]
        except OSError:
            self._let_go()

    def _let_go(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _sweep(folder: Path, own: Path) -> None:
    """Remove all but the newest files."""
    others = sorted((path for path in folder.glob(PATTERN) if path != own), key=lambda path: path.stat().st_mtime)
    for path in others[: max(0, len(others) - KEEP)]:
        path.unlink(missing_ok=True)
