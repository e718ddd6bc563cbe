"""What fit says of images that it has looked at: classes that have none left, and files that lie in two splits."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vitcli.data.layouts.folder import FolderData
from vitcli.data.layouts.manifest import ManifestData
from vitcli.data.module import ImageData
from vitcli.errors import DataError
from vitcli.images.index.quarantine import write_quarantine


@pytest.fixture
def photos(tmp_path: Path, write_photos: Callable[..., None]) -> Path:
    write_photos(*(f"p/{split}/{label}/{n}.jpg" for split in ("train", "val") for label in "abc" for n in range(4)))
    return tmp_path / "p"


def fit(root: Path, **options: Any) -> FolderData:
    data = FolderData(str(root), cache_dir=str(root.parent / "cache"), max_errors=1.0, **options)
    data.setup("fit")
    return data


def empty(root: Path, label: str) -> None:
    for path in (root / "train" / label).iterdir():
        path.write_bytes(b"none")


def said(data: ImageData, start: str) -> list[str]:
    return [text for text in data.notices if text.startswith(start)]


def test_a_class_of_unreadable_images_is_told(photos: Path) -> None:
    empty(photos, "b")
    assert said(fit(photos), "no image") == ["no image left for train in b: the net cannot learn it"]


def test_a_class_in_quarantine_is_told(photos: Path) -> None:
    write_quarantine(str(photos / "bad.txt"), {f"train/c/{number}.jpg": "blurred" for number in range(4)})
    data = fit(photos, quarantine=str(photos / "bad.txt"))
    assert said(data, "no image") == ["no image left for train in c: the net cannot learn it"]


def test_fewer_than_two_classes_with_images_are_an_error(photos: Path) -> None:
    empty(photos, "a")
    empty(photos, "b")
    with pytest.raises(
        DataError, match=r"^data.root \S+/p: no image for train in a, b; all of its images are left out"
    ):
        fit(photos)


def test_some_unreadable_images_of_a_class_need_no_word_of_it(photos: Path) -> None:
    (photos / "train" / "a" / "1.jpg").write_bytes(b"none")
    assert said(fit(photos), "no image") == []


def test_files_of_train_that_lie_in_val_too_are_told(photos: Path) -> None:
    assert said(fit(photos), "the same file") == []
    for number in (1, 3):
        shutil.copy(photos / "train" / "a" / f"{number}.jpg", photos / "val" / "a" / f"copy{number}.jpg")
    assert said(fit(photos), "the same file") == [
        "the same file in train too: 2 val images, such as val/a/copy1.jpg = train/a/1.jpg; scores will be too good "
        f"(see vitcli check {photos})"
    ]


def test_leaks_of_a_folder_that_is_divided_by_fraction_are_told(
    tmp_path: Path, write_photos: Callable[..., None]
) -> None:
    write_photos(*(f"p/{label}/{number}.jpg" for label in "ab" for number in range(20)))
    data = fit(tmp_path / "p")
    assert said(data, "the same file") == []
    train, test = data.listing("train").paths[0], data.listing("test").paths[0]
    shutil.copy(tmp_path / "p" / train, tmp_path / "p" / test)
    found = said(fit(tmp_path / "p"), "the same file")
    assert len(found) == 1
    assert f"1 test image, such as {test} = {train}; " in found[0]


def test_leaks_of_a_table_are_told(photos: Path) -> None:
    shutil.copy(photos / "train" / "b" / "0.jpg", photos / "val" / "b" / "z.jpg")
    rows = [f"{path.relative_to(photos)},{path.parts[-2]},{path.parts[-3]}" for path in photos.glob("*/*/*.jpg")]
    (photos / "t.csv").write_text("\n".join(["path,label,split", *rows]))
    data = ManifestData(str(photos / "t.csv"), cache_dir=str(photos.parent / "cache"))
    data.setup("fit")
    assert "1 val image, such as val/b/z.jpg = train/b/0.jpg" in said(data, "the same file")[0]


def test_what_is_in_quarantine_is_no_leak(photos: Path) -> None:
    shutil.copy(photos / "train" / "b" / "0.jpg", photos / "val" / "b" / "z.jpg")
    write_quarantine(str(photos / "bad.txt"), {"train/b/0.jpg": "leak"})
    assert said(fit(photos, quarantine=str(photos / "bad.txt")), "the same file") == []
