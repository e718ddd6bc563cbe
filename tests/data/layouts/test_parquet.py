"""Rows of Parquet files and of saved datasets are the same images as in a folder, and what is wrong is one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pytest

from tests.conftest import CPU, TINY
from tests.data.shown import AUGMENT, shown
from tests.images.source.tables.written import (
    as_arrow,
    as_parquet,
    as_parquet_by_datasets,
    as_saved_by_datasets,
    rows,
    write_parquet,
)
from vitcli.__main__ import main
from vitcli.data import FolderData, ParquetData
from vitcli.data.batches.datamodule import Split
from vitcli.data.layouts.guess import guess
from vitcli.data.layouts.labelled import LabelledFiles
from vitcli.errors import DataError
from vitcli.preprocess import Preprocess
from vitcli.table.rows import read_rows

SPLITS: tuple[Split, ...] = ("train", "val", "test")
CLASSES = ("cat", "owl", "yak")
PHOTOS = {"train": 4, "val": 2, "test": 1}


@pytest.fixture
def folder(tmp_path: Path, write_photos: Callable[..., None]) -> Path:
    """``photos/{train,val,test}/<class>/<number>.png``, another number for each class."""
    for place, (split, count) in enumerate(PHOTOS.items()):
        paths = [f"photos/{split}/{name}/{number}.png" for name in CLASSES for number in range(count)]
        write_photos(*paths, first=100 * place)
    return tmp_path / "photos"


def data_of(kind: Callable[..., LabelledFiles], root: Path, **options: Any) -> LabelledFiles:
    given = {"batch_size": 5, "num_workers": 0, "augment": AUGMENT, "preprocess": Preprocess(size=(16, 16))}
    return kind(str(root), cache_dir=str(root.parent / "cache"), **given | options)


@pytest.mark.parametrize("write", [as_parquet, as_arrow, as_saved_by_datasets, as_parquet_by_datasets])
def test_the_same_photos_give_the_same_batches_bit_for_bit(
    folder: Path, tmp_path: Path, write: Callable[[Path, Path], Path]
) -> None:
    root = write(folder, tmp_path / "tables")
    expected = shown(data_of(FolderData, folder))
    assert sum(len(batch.labels) for batch in expected) == len(CLASSES) * (PHOTOS["train"] + PHOTOS["val"])
    data = data_of(ParquetData, root)
    assert data.find_classes() == CLASSES
    assert shown(data) == expected
    assert guess(str(root)) == "ParquetData"
    data = data_of(ParquetData, root)
    data.setup("test")
    assert data.listing("test").labels.tolist() == [0, 1, 2]


def test_workers_change_no_bit(folder: Path, tmp_path: Path) -> None:
    root = as_parquet(folder, tmp_path / "tables")
    assert shown(data_of(ParquetData, root, num_workers=2)) == shown(data_of(ParquetData, root))


def test_rows_with_the_paths_of_a_folder_are_divided_as_the_folder_is(folder: Path, tmp_path: Path) -> None:
    write_parquet(tmp_path / "all.parquet", rows(folder, "train", of_folder=True))
    options = {"val_fraction": 0.25, "test_fraction": 0.25, "split_seed": 3}
    tables = data_of(ParquetData, tmp_path / "all.parquet", **options)
    plain = data_of(FolderData, folder / "train", **options)
    for split in SPLITS:
        assert list(tables.listing(split).paths) == list(plain.listing(split).paths)
        assert len(plain.listing(split)) == {"train": 6, "val": 3, "test": 3}[split]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["b", "a", "b"], ("a", "b")),
        ([10, 9, 10], ("9", "10")),
        (arrow.array(["b", "a", "b"]).dictionary_encode(), ("a", "b")),
        (arrow.array(["b", " a", None, "a"]), ("a", "b")),
    ],
    ids=["texts", "numbers", "categories", "one missing"],
)  # fmt: skip
def test_labels_are_texts_or_numbers(tmp_path: Path, labels: Any, classes: tuple[str, ...]) -> None:
    write_parquet(tmp_path / "t.parquet", arrow.table({"image": [b"x"] * len(labels), "label": labels}))
    data = ParquetData(str(tmp_path / "t.parquet"), cache_dir=str(tmp_path / "cache"), val_fraction=0, test_fraction=0)
    assert data.find_classes() == classes
    listing = data.listing("train")
    written = [str(label).strip() for label in arrow.array(labels).to_pylist() if label is not None]
    assert [classes[label] for label in listing.labels.tolist()] == written
    assert any("1 (row without a label)" in text for text in data.notices) == (len(labels) > 3)


@pytest.mark.parametrize("name", ["classes.txt", "classes.json"])
def test_numbers_are_named_by_a_file_beside_the_tables(tmp_path: Path, name: str) -> None:
    write_parquet(tmp_path / "t.parquet", arrow.table({"image": [b"x"] * 3, "label": [1, 0, 1]}))
    (tmp_path / name).write_text("owl\ncat\n" if name == "classes.txt" else '["owl", "cat"]')
    data = ParquetData(str(tmp_path), val_fraction=0, test_fraction=0, cache_dir=str(tmp_path / "cache"))
    assert data.find_classes() == ("cat", "owl")
    assert data.listing("train").labels.tolist() == [0, 1, 0]


def test_rows_of_one_group_are_in_one_split(tmp_path: Path) -> None:
    columns = {"image": [bytes([row]) for row in range(60)], "label": ["a", "b"] * 30}
    write_parquet(tmp_path / "t.parquet", arrow.table({**columns, "group": [row // 6 for row in range(60)]}))
    shares = {"val_fraction": 0.3, "test_fraction": 0.2}
    data = ParquetData(str(tmp_path / "t.parquet"), cache_dir=str(tmp_path / "cache"), **shares)
    of = {split: {int(path.split("/")[1]) // 6 for path in data.listing(split).paths} for split in SPLITS}
    assert all(of.values())
    assert sum(map(len, of.values())) == 10


def test_one_run_from_fit_to_a_table_of_predictions(
    folder: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    as_parquet(folder, here / "tables")
    assert main(["check", "tables", "--out", "checked"]) in (0, 3)
    told = json.loads(Path("checked/check.json").read_text())
    assert told["counts"] == {split: dict.fromkeys(CLASSES, count) for split, count in PHOTOS.items()}
    assert main(["fit", "tables", "--run.name", "run", "--trainer.max_epochs", "1", *TINY, *CPU]) == 0
    assert "3 classes: cat, owl, yak" in capsys.readouterr().out
    # unlabelled rows, without a column of labels, are predicted under the names that the checkpoint knows
    write_parquet(Path("new.parquet"), rows(folder, "test").drop_columns(["label"]))
    assert main(["predict", "runs/run", "new.parquet", "--predictions.path", "new.csv", *CPU]) == 0
    found = read_rows(Path("new.csv"))
    assert [row.path for row in found] == [f"new.parquet/{number}/0.png" for number in range(3)]
    assert {row.predicted for row in found} <= set(CLASSES)


def test_the_columns_that_are_named_are_taken(folder: Path, here: Path) -> None:
    train = rows(folder, "train")
    photos, masks = train["image"], train["image"].take(list(range(len(train)))[::-1])
    kinds = [CLASSES[label] for label in train["label"].to_pylist()]
    made = arrow.table({"mask": masks, "view": photos, "coarse": ["a", "b"] * (len(train) // 2), "kind": kinds})
    write_parquet(Path("t.parquet"), made)
    words = ["t.parquet", "--data", "ParquetData", "--data.label_column", "kind", "--out", "checked"]
    assert main(["check", *words]) == 2
    assert main(["check", *words, "--data.image_column", "view"]) in (0, 3)
    counts = json.loads(Path("checked/check.json").read_text())["counts"]
    assert set(counts["train"]) == set(CLASSES)
    data = ParquetData("t.parquet", image_column="view", label_column="kind", cache_dir="cache")
    assert data.source.read("t.parquet/0/0.png") == (folder / "train/cat/0.png").read_bytes()


def images(count: int = 4, **columns: Any) -> Any:
    return arrow.table({"image": [b"x"] * count, "label": ["a", "b"] * (count // 2)} | columns)


WRONG = [
    ({"t.parquet": arrow.table({"path": ["a"], "label": ["b"]})}, {},
     r"t.parquet: no column of images \(bytes, or a struct of bytes and path\) among path \(string\), label"),
    ({"t.parquet": images().drop_columns(["label"])}, {},
     r"t.parquet: no column of labels among image \(binary\); name one: data.label_column"),
    ({"t.parquet": images(label=[0.5] * 4)}, {}, r"data.label_column label: is double in \S+t.parquet; labels"),
    ({"t.parquet": images(label=[[1, 2]] * 4)}, {}, r"data.label_column label: is list<.+> in \S+; labels are"),
    ({"t.parquet": images(label=["a"] * 4)}, {}, r"only the label 'a' for train; a classifier needs two"),
    ({"t.parquet": images(label=arrow.nulls(4, arrow.string()))}, {}, r"no labels for train; a classifier"),
    ({"t.parquet": images()}, {"image_column": "photo"}, r"data.image_column photo: no such column in \S+; it has"),
    ({"t.parquet": images()}, {"image_column": "label"}, r"data.image_column label: is string in \S+; images are"),
    ({"t.parquet": images()}, {"label_column": "kind"}, r"data.label_column kind: no such column in \S+; it has"),
    ({"t.parquet": images()}, {"group_column": "who"}, r"data.group_column who: no such column in \S+; it has"),
    ({"t.parquet": images(a=[b"x"] * 4).rename_columns(["x", "label", "y"])}, {}, r"x and y may be the images"),
    ({"a/train.parquet": images(), "b/train.parquet": images()}, {}, r"several sets of tables, in a/, b/; name"),
    ({}, {}, r"no table in it \(.parquet, or .arrow as datasets saves it\); folders, zips and tars of im"),
    ({"t.parquet": images(label=[0, 1, 2, 0]), "classes.txt": "cat\nowl"}, {},
     r"data.label_column label: row 2 of \S+t.parquet has the label 2, and there are 2 names of clas"),
    ({"t.parquet": images(label=[0, 1, 1, 0]), "classes.json": "{}"}, {}, r"classes.json does not name classes"),
]  # fmt: skip


@pytest.mark.parametrize(("files", "options", "message"), WRONG, ids=[case[2][:30] for case in WRONG])
def test_what_is_wrong_is_one_line(
    tmp_path: Path, files: dict[str, Any], options: dict[str, str], message: str
) -> None:
    root = tmp_path / "tables"
    root.mkdir()
    for name, content in files.items():
        if isinstance(content, str):
            (root / name).write_text(content)
        else:
            write_parquet(root / name, content)
    data = ParquetData(str(root), cache_dir=str(tmp_path / "cache"), **options)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=message) as told:
        data.setup("fit")
    assert "\n" not in str(told.value)


def test_a_dataset_with_rows_in_another_order_is_refused(folder: Path, tmp_path: Path) -> None:
    root = as_arrow(folder, tmp_path / "saved")
    state = {"_data_files": [{"filename": "data.arrow"}], "_indices_data_files": [{"filename": "indices.arrow"}]}
    (root / "train/state.json").write_text(json.dumps(state))
    with pytest.raises(
        DataError, match=r"train/state.json: an old version of datasets saved it with its rows in another"
    ):
        ParquetData(str(root)).find_classes()


def test_a_label_unknown_to_datasets_is_a_row_without_a_label(tmp_path: Path) -> None:
    features = {"image": {"_type": "Image"}, "label": {"names": ["a", "b"], "_type": "ClassLabel"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    write_parquet(tmp_path / "t.parquet", images(label=[0, 1, -1, -1]).replace_schema_metadata(metadata))
    data = ParquetData(str(tmp_path / "t.parquet"), val_fraction=0, test_fraction=0, cache_dir=str(tmp_path / "cache"))
    assert len(data.listing("train")) == 2
    assert any("2 (row without a label)" in text for text in data.notices)


def test_a_table_of_paths_is_still_a_manifest(tmp_path: Path) -> None:
    write_parquet(tmp_path / "t.parquet", arrow.table({"path": ["a.png"], "label": ["b"]}))
    assert guess(str(tmp_path / "t.parquet")) == "ManifestData"
