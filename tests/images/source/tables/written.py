"""Tables as tests write them: the pictures of a folder as the rows of Parquet and Arrow files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as arrow
from pyarrow import ipc, parquet


def table(
    files: Sequence[Path], labels: Sequence[Any], *, classes: Sequence[str] = (), root: Path | None = None
) -> Any:
    """Pictures as ``datasets`` has them: a struct of bytes and path, and numbers whose names stand in the schema.

    With a root, the paths are relative to it; else they are the names of the files.
    """
    images = [
        {"bytes": file.read_bytes(), "path": file.name if root is None else file.relative_to(root).as_posix()}
        for file in files
    ]
    made = arrow.table({"image": arrow.array(images), "label": arrow.array(labels)})
    if not classes:
        return made
    features = {"image": {"_type": "Image"}, "label": {"names": list(classes), "_type": "ClassLabel"}}
    return made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def write_arrow(file: Path, rows: Any, *, batch: int = 3, stream: bool = True, compression: str | None = None) -> None:
    """An Arrow file of batches of so many rows."""
    file.parent.mkdir(parents=True, exist_ok=True)
    options = ipc.IpcWriteOptions(compression=compression)
    opened = (ipc.new_stream if stream else ipc.new_file)(str(file), rows.schema, options=options)
    with opened as writer:
        writer.write_table(rows, max_chunksize=batch)


def write_parquet(file: Path, rows: Any, **options: Any) -> None:
    """A Parquet file, in row groups of 7 rows."""
    file.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(rows, file, **{"row_group_size": 7, **options})
