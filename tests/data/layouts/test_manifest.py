"""The rows of any table become labelled splits, and what is wrong with a table is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.images.source.test_archive import write_zip
from vitcli.data.layouts.manifest import ManifestData
from vitcli.errors import DataError
from vitcli.preprocess import Preprocess

ROWS = [
    {"path": f"{label}{number}.png", "label": label, "split": split}
    for label in ("owl", "cat")
    for number, split in enumerate(("train", "train", "val", "test"))
]


def write(folder: Path, kind: str, rows: list[dict[str, str]]) -> str:
    file = folder / f"table.{kind}"
    if kind == "jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif kind == "parquet":
        import pyarrow
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    else:
        comma = "\t" if kind == "tsv" else ","
        lines = [comma.join(rows[0]), *(comma.join(row.values()) for row in rows)]
        file.write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    return str(file)


@pytest.fixture
def folder(tmp_path: Path, write_photos: Callable[..., None]) -> Path:
    """The images that the rows list."""
    write_photos(*(row["path"] for row in ROWS))
    return tmp_path


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_every_kind_of_table_is_read(folder: Path, kind: str) -> None:
    data = ManifestData(write(folder, kind, ROWS), batch_size=2, preprocess=Preprocess(size=(8, 8)))
    assert data.find_classes() == ("cat", "owl")
    assert list(data.listing("train").paths) == ["cat0.png", "cat1.png", "owl0.png", "owl1.png"]
    assert data.listing("train").labels.tolist() == [0, 0, 1, 1]
    assert list(data.listing("val").paths) == ["cat2.png", "owl2.png"]
    assert list(data.listing("test").paths) == ["cat3.png", "owl3.png"]
    assert sum(len(batch["index"]) for batch in data.train_dataloader()) == 4


@pytest.mark.parametrize(
    "words",
    [
        ("training", "validation", "testing"),
        ("Train", "Valid", "TEST"),
        ("TRAIN", "dev", "holdout"),
        ("train_set", "eval", "Test Images"),
        ("trn", "Evaluation", " tst "),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_words_for_splits_mean_what_they_mean_as_names_of_folders(
    folder: Path, kind: str, words: tuple[str, str, str]
) -> None:
    word = dict(zip(("train", "val", "test"), words, strict=True))
    data = ManifestData(write(folder, kind, [row | {"split": word[row["split"]]} for row in ROWS]))
    assert data.find_classes() == ("cat", "owl")
    assert [list(data.listing(split).paths) for split in ("train", "val", "test")] == [
        ["cat0.png", "cat1.png", "owl0.png", "owl1.png"],
        ["cat2.png", "owl2.png"],
        ["cat3.png", "owl3.png"],
    ]


def test_two_usual_names_of_a_split_are_one(folder: Path) -> None:
    names = iter(("val", "Validation"))
    rows = [row | ({"split": next(names)} if row["split"] == "val" else {}) for row in ROWS]
    assert list(ManifestData(write(folder, "csv", rows)).listing("val").paths) == ["cat2.png", "owl2.png"]


def test_without_splits_the_rows_are_divided_by_fraction(folder: Path) -> None:
    rows = [{"path": row["path"], "label": row["label"]} for row in ROWS]
    data = ManifestData(write(folder, "csv", rows), val_fraction=0.25, test_fraction=0.25)
    assert [len(data.listing(split)) for split in ("train", "val", "test")] == [4, 2, 2]


def test_rows_without_a_split_are_left_out_where_others_have_one(folder: Path) -> None:
    rows = [row | {"split": "" if row["path"] == "cat1.png" else row["split"].upper()} for row in ROWS]
    data = ManifestData(write(folder, "csv", rows))
    assert list(data.listing("train").paths) == ["cat0.png", "owl0.png", "owl1.png"]
    assert data.notices == [f"1 rows of {data.root} have no split: left out"]


def test_a_list_of_paths_takes_the_label_from_the_folder(tmp_path: Path, write_photos: Callable[..., None]) -> None:
    write_photos(*(f"pets/{label}/{number}.png" for label in ("cat", "dog") for number in range(4)))
    lines = [f"pets/{label}/{number}.png" for label in ("cat", "dog") for number in range(3)]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    data = ManifestData(str(tmp_path / "list.txt"), test_fraction=0)
    assert data.find_classes() == ("cat", "dog")
    assert sorted([*data.listing("train").paths, *data.listing("val").paths]) == sorted(lines)


def test_columns_and_the_folder_may_have_other_names(folder: Path, tmp_path: Path) -> None:
    members = {row["path"]: (folder / row["path"]).read_bytes() for row in ROWS}
    write_zip(tmp_path / "photos.zip", members)
    (tmp_path / "deep").mkdir()
    rows = [{"file": row["path"], "class": row["label"], "part": row["split"]} for row in ROWS]
    columns = {"path_column": "file", "label_column": "class", "split_column": "part"}
    packed = ManifestData(write(tmp_path / "deep", "csv", rows), folder=str(tmp_path / "photos.zip"), **columns)
    loose = ManifestData(packed.root, folder=str(folder), **columns)
    for one, other in zip(packed.train_dataloader(), loose.train_dataloader(), strict=True):
        assert torch.equal(one["image"], other["image"])


def test_an_image_that_is_not_there_is_left_out_and_named(folder: Path) -> None:
    (folder / "cat1.png").unlink()
    data = ManifestData(write(folder, "csv", ROWS), cache_dir=str(folder / "kept"), max_errors=0.5)
    data.setup("fit")
    assert data.left_out == {"train": {"cat1.png": "no such file"}}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [{"path": "a.png", "label": ""}],
            r", row 1: no 'label' \(columns: path, label\); fill it in, or set data.label_column",
        ),
        (
            [{"file": "a.png", "label": "a"}],
            r", row 1: no 'path' \(columns: file, label\); fill it in, or set data.path_column",
        ),
        (
            [{"path": "a.png", "label": "a", "split": "Tests of 2"}],
            r", row 1: split 'Tests of 2' is no split; use train, val or test$",
        ),
        (
            [{"path": "a.png", "label": "a", "split": "unlabelled"}],
            r", row 1: split 'unlabelled' is no split; use train",
        ),
        (
            [{"path": "a.png", "label": "a", "split": "val"}, {"path": "b.png", "label": "a", "split": "Dev"}],
            r", row 2: split 'Dev' means val, and so does 'val' in rows before; use train, val or test$",
        ),
        (
            [{"path": "a.png", "label": "a", "split": "fold1 test"}, {"path": "b.png", "label": "a", "split": "test"}],
            r", row 1: split 'fold1 test' is no split; use train, val or test$",
        ),
        (
            [{"path": "a\0.png", "label": "a"}],
            r", row 1: path 'a\\x00.png' holds a NUL byte, and is no path; correct it$",
        ),
        (
            [{"path": "a" * 40_000, "label": "a"}],
            r", row 1: path 'a{60}' has 40,000 characters, and is no path; correct",
        ),
        ([{"path": "a.png", "label": "a"}] * 2, r": a.png is listed 2 times; keep one of its rows$"),
        (
            [{"path": "b/../a.png", "label": "a"}, {"path": "./a.png", "label": "b"}],
            r": b/../a.png is listed 2 times \(also as ./a.png\); keep one of its rows$",
        ),
        ([{"path": "a,b.png", "label": "a"}], r": cannot be read as .csv \(line 2 has more cells than there are col"),
        ([{"path": "a.png", "label": "a"}], r": only the label 'a' for train; a classifier needs two$"),
    ],
)
def test_what_is_wrong_with_a_row_is_named(tmp_path: Path, rows: list[dict[str, str]], message: str) -> None:
    with pytest.raises(DataError, match=rf"^data.root \S+/table.csv{message}"):
        ManifestData(write(tmp_path, "csv", rows)).find_classes()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("table.xls", b"", r"is no table by its extension; .csv, .tsv, .jsonl, .parquet, .txt are read$"),
        ("table.jsonl", b"[1]\n", r"cannot be read as .jsonl \(line 1 is no object\); correct it$"),
        ("table.jsonl", b"[" * 100_000, r"cannot be read as .jsonl \(more than 50 levels of JSON\); correct it$"),
        ("table.jsonl", b" " * 5_000_000, r"cannot be read as .jsonl \(line 1 has more than 4,000,000 characters\)"),
        ("table.csv", b"a" * 5_000_000, r"cannot be read as .csv \(line 1 has more than 4,000,000 characters\)"),
        (
            "table.csv",
            b'path,label\na.png,cat\nb.png,"cat\nc.png,dog\nd.png,dog\n',
            r"cannot be read as .csv \(line 3: a quote is opened and not closed, or not before a ','\); correct it$",
        ),
        ("table.csv", b'path,label\na.png,"cat\nb.png,"dog"\n', r"cannot be read as .csv \(line 2: a quote is opened"),
        ("table.csv", b'path,"label\na.png,cat\n', r"cannot be read as .csv \(line 1: a quote is opened and not"),
        ("table.csv", b"path;label\na.png;cat\n", r"cannot be read as .csv \(its columns are parted by ';'; save it"),
        ("table.tsv", b"path,label\na.png,cat\n", r"cannot be read as .tsv \(its columns are parted by ','; save it"),
        (
            "table.txt",
            b"a/a.png\n" + b"b" * 5_000_000,
            r"cannot be read as .txt \(line 2 has more than 4,000,000 characters\)",
        ),
        (
            "table.csv",
            b"path,label,label\na,b,c\n",
            r"cannot be read as .csv \(column label stands there twice\); corr",
        ),
        (
            "table.csv",
            "path,label\na,b\n".encode("utf-16"),
            r"cannot be read as .csv \(its text is UTF-16; save it as ",
        ),
        ("table.txt", "a/b.png\n".encode("utf-16"), r"cannot be read as .txt \(its text is UTF-16; save it as UTF-8\)"),
        (
            "table.jsonl",
            b'{"path": "a", "label": ["a"]}\n',
            r"row 1: label \['a'\] is not one value; give the row one$",
        ),
        (
            "table.jsonl",
            b'{"path": "a", "label": NaN}\n',
            r"row 1: no 'label' \(columns: path, label\); fill it in, or",
        ),
        ("table.jsonl", b"{half", r"cannot be read as .jsonl \(Expecting"),
        ("table.parquet", b"no parquet", r"cannot be read as .parquet \(Parquet"),
    ],
)
def test_a_file_that_is_no_table_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"^data.root \S+/{name}[:,] {message}"):
        ManifestData(str(tmp_path / name)).find_classes()
    with pytest.raises(DataError, match=r"^data.root \S+/gone.csv: no such file; check the path"):
        ManifestData(str(tmp_path / "gone.csv")).find_classes()


def test_a_parquet_file_of_25_kilobytes_that_claims_millions_of_rows_is_refused(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    same = pyarrow.DictionaryArray.from_arrays(np.zeros(5_000_000, dtype=np.int8), ["a"])
    parquet.write_table(pyarrow.table({"path": same, "label": same}), tmp_path / "table.parquet")
    assert (tmp_path / "table.parquet").stat().st_size < 50_000
    with pytest.raises(DataError, match=r"cannot be read as \.parquet \(5,000,000 rows in [\d,]+ bytes\); correct it$"):
        ManifestData(str(tmp_path / "table.parquet")).find_classes()


def test_a_comma_at_the_end_of_each_line_is_no_cell(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("path,label,,\na.png,a,,\nb.png,b,,\n")
    assert ManifestData(str(tmp_path / "t.csv")).find_classes() == ("a", "b")


def test_an_image_by_its_whole_path_is_the_one_by_its_path_in_the_folder(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"path,label\na.png,a\n{tmp_path / 'a.png'},b\n")
    with pytest.raises(DataError, match=r"a.png is listed 2 times \(also as /"):
        ManifestData(str(tmp_path / "t.csv")).find_classes()


def test_a_table_none_of_whose_images_is_there_says_where_paths_count_from(tmp_path: Path) -> None:
    rows = [{"path": f"gone/{number}.png", "label": "ab"[number % 2]} for number in range(4)]
    told = rf"none of its 4 images is there, such as {tmp_path}/gone/0.png; paths count from the table's own folder"
    with pytest.raises(DataError, match=told):
        ManifestData(write(tmp_path, "csv", rows)).listing("train")


def test_a_label_that_the_model_does_not_know_is_a_matter_of_rows(
    tmp_path: Path, write_images: Callable[..., None]
) -> None:
    write_images("0.png", "1.png")
    rows = [{"path": f"{number}.png", "label": "ab"[number], "split": "test"} for number in range(2)]
    data = ManifestData(write(tmp_path, "csv", rows), classes=("a", "c"))
    with pytest.raises(DataError, match=r"class 'b' is none of the model's 2 classes, .*; correct or remove its rows$"):
        data.listing("test")
