"""One class has one name, however its folders and rows spell it, and a name that nobody can write is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from vitcli.data.layouts.folder import FolderData
from vitcli.data.layouts.manifest import ManifestData
from vitcli.errors import DataError

Write = Callable[..., None]
NFC, NFD = "caf\u00e9", "cafe\u0301"
TOLD = "one class, though spelled in several ways (spaces, or accents of another system): "


def table(folder: Path, *labels: str) -> ManifestData:
    rows = "".join(f'{number}.png,"{label}"\n' for number, label in enumerate(labels))
    (folder / "t.csv").write_bytes(os.fsencode(f"path,label\n{rows}"))
    return ManifestData(str(folder / "t.csv"), val_fraction=0, test_fraction=0)


@pytest.mark.parametrize(
    ("labels", "classes", "told"),
    [
        (("cat", "cat ", "dog"), ("cat", "dog"), "'cat' = 'cat '"),
        (("dog", " cat", "\tcat"), ("cat", "dog"), "' cat' = '\\tcat'"),
        ((NFC, NFD, "tea"), (NFC, "tea"), "'caf\\xe9' = 'cafe\\u0301'"),
        ((f"{NFD} ", NFC, "tea"), (NFC, "tea"), "'cafe\\u0301 ' = 'caf\\xe9'"),
    ],
)
def test_labels_of_a_table_that_differ_in_spaces_or_form_are_one_class(
    labels: tuple[str, ...], classes: tuple[str, ...], told: str, tmp_path: Path, write_images: Write
) -> None:
    write_images("0.png", "1.png", "2.png")
    data = table(tmp_path, *labels)
    assert data.find_classes() == classes
    assert len(data.listing("train")) == 3
    assert TOLD + told in data.notices


@pytest.mark.parametrize(("one", "other"), [(NFC, NFD), ("cat", "cat ")])
def test_folders_that_differ_in_spaces_or_form_are_one_class(
    one: str, other: str, tmp_path: Path, write_images: Write
) -> None:
    write_images(f"train/{one}/1.png", f"train/{other}/2.png", "train/x/3.png", f"val/{other}/4.png", "val/x/5.png")
    data = FolderData(str(tmp_path))
    assert set(data.find_classes()) == {one, "x"}
    assert set(data.listing("train").paths) == {f"train/{one}/1.png", f"train/{other}/2.png", "train/x/3.png"}
    assert list(data.listing("val").paths) == [f"val/{other}/4.png", "val/x/5.png"]
    assert [text for text in data.notices if text.startswith(TOLD)]


def test_a_model_that_knows_another_spelling_keeps_it(tmp_path: Path, write_images: Write) -> None:
    write_images("train/cat/1.png", "train/dog/2.png")
    data = FolderData(str(tmp_path), classes=("cat ", "dog"))
    assert data.listing("train").labels.tolist() == [0, 1]
    both = FolderData(str(tmp_path), classes=("cat", "cat ", "dog"))
    assert both.named("cat ") == "cat "


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (os.fsdecode(b"caf\xe9"), r"the name of the class 'caf\\udce9' is not valid UTF-8; rename it$"),
        ("a\x1b[31mb", r"the name of the class 'a\\x1b\[31mb' holds control characters; rename it$"),
        ("a\nb", r"the name of the class 'a\\nb' holds control characters; rename it$"),
    ],
)
def test_a_name_that_cannot_be_shown_is_one_line(name: str, message: str, tmp_path: Path, write_images: Write) -> None:
    write_images("0.png", "1.png", f"p/{name}/1.png", "p/dog/2.png")
    in_table = table(tmp_path, name, "dog")
    # a table can be saved as something else
    said = "" if name.isascii() else (r", row 1: label 'caf\\udce9' is not valid UTF-8; save the table as UTF-8$")
    for data, told in ((FolderData(str(tmp_path / "p")), f": {message}"), (in_table, said or f": {message}")):
        for ask in (data.find_classes, lambda data=data: data.listing("train")):
            with pytest.raises(DataError, match=rf"^data.root {data.root}{told}"):
                ask()


def test_all_names_that_cannot_be_used_are_told_at_once(tmp_path: Path, write_images: Write) -> None:
    write_images("p/ /0.png", "p/a\nb/1.png", "p/c\td/2.png", "p/dog/3.png")
    told = r": the name of a class is empty but for spaces; rename it \(and 'a\\nb', 'c\\td'\)$"
    with pytest.raises(DataError, match=told):
        FolderData(str(tmp_path / "p")).find_classes()


def test_a_label_of_spaces_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"row 2: no 'label' \(columns: path, label\); fill it in"):
        table(tmp_path, "cat", "  ").find_classes()
