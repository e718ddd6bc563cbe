"""Columns of what is known of many files, kept in an .npz: read back as they were kept, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from vitcli.images.source.paths import Paths
from vitcli.machine.atomic import replacing

Made = TypeVar("Made")


def keep_columns(
    file: Path, layout: int, about: Mapping[str, Any], paths: Paths, columns: Mapping[str, NDArray[Any]]
) -> None:
    """Keep columns in a file, which is there as a whole or not at all.

    Args:
        file: An ``.npz``, in a folder that is there.
        layout: Of the file; one of another layout is not read.
        about: What is known beside the columns, for JSON.
        paths: Of the files, one a row.
        columns: By name; other names than ``about``, ``joined`` and ``ends``.

    Raises:
        OSError: It cannot be written.
    """
    told = json.dumps({"layout": layout, **about}).encode()
    with replacing(file) as part, part.open("wb") as stream:
        np.savez(
            stream,
            about=np.frombuffer(told, dtype=np.uint8),
            joined=np.frombuffer(paths.joined, dtype=np.uint8),
            ends=paths.ends,
            **columns,  # type: ignore[arg-type]
        )


def kept_columns(
    file: Path, layout: int, made: Callable[[dict[str, Any], Paths, Mapping[str, NDArray[Any]]], Made | None]
) -> Made | None:
    """What was kept; None if it is missing, damaged, or of another layout.

    Args:
        file: An ``.npz``.
        layout: That it has to have.
        made: What is made of it, from what was told about, paths and columns; what goes wrong there is damage too.
    """
    try:
        with np.load(file, allow_pickle=False) as held:
            about = json.loads(held["about"].tobytes())
            if about["layout"] != layout:
                return None
            return made(about, Paths(held["joined"].tobytes(), held["ends"]), held)
    except (OSError, ValueError, KeyError, EOFError, TypeError, AttributeError, BadZipFile):
        return None
