"""Every file gets its row, whether it is an image or not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from vitcli.data.layouts.unlabelled import UnlabelledData
from vitcli.errors import DataError
from vitcli.preprocess import Preprocess


def predicted(data: UnlabelledData) -> tuple[list[int], list[tuple[int, str]]]:
    batches = list(data.predict_dataloader())
    return [i for batch in batches for i in batch["index"].tolist()], [
        row for batch in batches for row in batch["errors"]
    ]


def test_every_file_of_a_folder_has_a_row(tmp_path: Path, write_images: Callable[..., None]) -> None:
    write_images("10.png", "9.png", "deep/er/1.png", ".hidden.png", size=(5, 7))
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "deep" / "empty.jpg").touch()
    data = UnlabelledData(str(tmp_path), preprocess=Preprocess(size=(8, 10)), batch_size=4)
    listing = data.listing("predict")
    assert listing.paths == ["9.png", "10.png", ".hidden.png", "deep/empty.jpg", "deep/er/1.png", "notes.txt"]
    assert set(listing.labels.tolist()) == {-1}
    assert predicted(data) == ([0, 1, 2, 4], [(3, "empty file"), (5, "not an image (cannot identify)")])
    batch = next(iter(data.predict_dataloader()))
    assert batch["image"].shape == (3, 3, 8, 10)
    assert batch["size"].tolist() == [[7, 5]] * 3


def test_one_image_file_is_one_row(tmp_path: Path, write_images: Callable[..., None]) -> None:
    write_images("a/b.png")
    listing = UnlabelledData(str(tmp_path / "a" / "b.png")).listing("predict")
    assert listing.paths == ["b.png"]
    assert (listing.open(0).height, listing.open(0).width) == (4, 6)


def test_a_list_of_paths_is_taken_as_written_and_missing_files_are_rows(
    tmp_path: Path, write_images: Callable[..., None]
) -> None:
    write_images("a.png", "deep/b.png")
    lines = ["deep/b.png", "", "gone.png", str(tmp_path / "a.png"), "deep/../a.png"]
    (tmp_path / "list.txt").write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    data = UnlabelledData(str(tmp_path / "list.txt"), preprocess=Preprocess(size=(4, 4)))
    assert data.listing("predict").paths == [line for line in lines if line]
    assert predicted(data) == ([0, 2, 3], [(1, "no such file")])


@pytest.mark.parametrize("name", ["list.csv", "list.jsonl"])
def test_a_table_lists_images_in_its_column_of_paths(
    name: str, tmp_path: Path, write_images: Callable[..., None]
) -> None:
    write_images("a.png", "deep/b.png")
    told = {"csv": "path,label\ndeep/b.png,\ngone.png,x\na.png,y\n"}.get(name[5:]) or (
        '{"path": "deep/b.png"}\n{"path": "gone.png", "note": 3}\n{"path": "a.png"}\n'
    )
    (tmp_path / name).write_text(told)
    data = UnlabelledData(str(tmp_path / name), preprocess=Preprocess(size=(4, 4)))
    assert data.listing("predict").paths == ["deep/b.png", "gone.png", "a.png"]
    assert predicted(data) == ([0, 2], [(1, "no such file")])


def test_a_table_without_a_column_of_paths_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("file,label\na.png,cat\n")
    with pytest.raises(
        DataError, match=r"list.csv, row 1: no 'path' \(columns: file, label\); a table lists images in"
    ):
        UnlabelledData(str(tmp_path / "list.csv")).listing("predict")


def test_a_name_that_is_not_utf_8_has_a_row(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/\xff.jpg", "wb"):
        pass
    assert [os.fsencode(path) for path in UnlabelledData(str(tmp_path)).listing("predict").paths] == [b"\xff.jpg"]


def test_a_batch_of_unreadable_files_is_empty_and_keeps_its_shape(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    (batch,) = UnlabelledData(str(tmp_path), preprocess=Preprocess(size=(4, 6))).predict_dataloader()
    assert batch["image"].shape == (0, 3, 4, 6)
    assert batch["size"].shape == (0, 2)
    assert batch["errors"] == [(0, "empty file")]


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_other_splits_are_refused(tmp_path: Path, split: str) -> None:
    with pytest.raises(DataError, match=rf"^data.root \S+: UnlabelledData has no labels for {split}; use FolderData$"):
        UnlabelledData(str(tmp_path)).list_split(split)  # type: ignore[arg-type]


def test_there_are_no_classes_to_find(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^data.root \S+: UnlabelledData has no labels; use FolderData to train"):
        UnlabelledData(str(tmp_path)).find_classes()


def test_a_missing_or_empty_root_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^data.root \S+/gone: no such file or folder; check the path"):
        UnlabelledData(str(tmp_path / "gone")).list_split("predict")
    with pytest.raises(DataError, match=r"^data.root \S+: no files in it; name a folder of pictures"):
        UnlabelledData(str(tmp_path)).list_split("predict")
