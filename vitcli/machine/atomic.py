"""Atomic file writes: a file is there as a whole or not at all, and an earlier one is kept."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path to write to; the file replaces ``path`` once it is complete, and is removed after an error.

    Args:
        path: The file to replace.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


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


def keep_previous(path: Path) -> Path | None:
    """Move a file out of the way of a new one of its name; nothing is overwritten.

    Args:
        path: The name that the new file will take.

    Returns:
        Where the earlier one lies now: ``name-1`` for the first, ``name-2`` for the next; None if there was none.
    """
    if not path.exists():
        return None
    number = 1
    while (kept := path.with_name(f"{path.stem}-{number}{path.suffix}")).exists():
        number += 1
    path.rename(kept)
    return kept
