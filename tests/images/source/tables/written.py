"""Tables as tests write them: the pictures of a folder as the rows of Parquet and Arrow files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pytest
from pyarrow import ipc, parquet

from vitcli.names import natural_order

# what a folder calls its splits, and datasets
SPLITS = {"train": "train", "val": "validation", "test": "test"}


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


def photos_of(folder: Path, split: str) -> list[Path]:
    """The photos ``<split>/<class>/<name>`` of a folder, in the order in which it has them."""
    return sorted((folder / split).glob("*/*"), key=lambda file: natural_order(str(file)))


def rows(folder: Path, split: str, *, of_folder: bool = False) -> Any:
    """The photos of a split as a table, whose classes are the folders of train."""
    files, classes = photos_of(folder, split), _classes(folder)
    labels = [classes.index(file.parent.name) for file in files]
    return table(files, labels, classes=classes, root=folder / split if of_folder else None)


def as_parquet(folder: Path, out: Path) -> Path:
    """A folder of photos as Parquet files named by split, some of them compressed."""
    train = rows(folder, "train")
    write_parquet(out / "data/train-00000-of-00002.parquet", train.slice(0, 5), compression="snappy")
    write_parquet(out / "data/train-00001-of-00002.parquet", train.slice(5), compression="none")
    for split in _held_out(folder):
        write_parquet(out / f"data/{SPLITS[split]}-00000-of-00001.parquet", rows(folder, split))
    return out


def as_arrow(folder: Path, out: Path) -> Path:
    """As ``Dataset.save_to_disk`` lays it out, with a cache of ``map`` beside it."""
    splits = ["train", *_held_out(folder)]
    for split in splits:
        inside = out / SPLITS[split]
        write_arrow(inside / "data-00000-of-00001.arrow", rows(folder, split))
        write_arrow(inside / "cache-0123.arrow", rows(folder, split))
        state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_fingerprint": "x"}
        (inside / "state.json").write_text(json.dumps(state))
    (out / "dataset_dict.json").write_text(json.dumps({"splits": [SPLITS[split] for split in splits]}))
    return out


def as_saved_by_datasets(folder: Path, out: Path) -> Path:
    """As the package datasets itself saves it."""
    datasets = pytest.importorskip("datasets", reason="the package datasets is not installed")
    classes = _classes(folder)
    features = datasets.Features(image=datasets.Image(), label=datasets.ClassLabel(names=classes))
    splits = {}
    for split in ("train", *_held_out(folder)):
        files = photos_of(folder, split)
        columns = {"image": list(map(str, files)), "label": [classes.index(file.parent.name) for file in files]}
        splits[SPLITS[split]] = datasets.Dataset.from_dict(columns, features=features)
    datasets.disable_progress_bars()
    datasets.DatasetDict(splits).save_to_disk(str(out), num_shards={name: 1 + (name == "train") for name in splits})
    return out


def as_parquet_by_datasets(folder: Path, out: Path) -> Path:
    """As ``push_to_hub`` uploads it: with the images in the table."""
    datasets = pytest.importorskip("datasets", reason="the package datasets is not installed")
    from datasets.table import embed_table_storage

    saved = datasets.load_from_disk(str(as_saved_by_datasets(folder, out / "saved")))
    for name, split in saved.items():
        embedded = split.with_format("arrow").map(embed_table_storage, batched=True, keep_in_memory=True)
        embedded.with_format(None).to_parquet(str(out / f"tables/{name}-00000-of-00001.parquet"))
    return out / "tables"


def _classes(folder: Path) -> list[str]:
    return sorted((path.name for path in (folder / "train").iterdir()), key=natural_order)


def _held_out(folder: Path) -> list[str]:
    return [split for split in ("val", "test") if (folder / split).is_dir()]
