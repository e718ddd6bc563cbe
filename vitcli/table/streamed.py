"""StreamedFile: a file that is written piece by piece, and is down on the disk when it is closed."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import IO, Self


class StreamedFile(ABC):
    """A file, of which an error leaves a part behind, closed.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.file: IO[bytes] = path.open("wb")

    @abstractmethod
    def end(self) -> None:
        """Write what comes last in the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is None:
            self.close()
        with suppress(OSError):
            self.file.close()

    def close(self) -> None:
        """Write what is left, down to the disk."""
        self.end()
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
