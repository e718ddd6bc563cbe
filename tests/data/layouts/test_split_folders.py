"""Folders that are named like splits are splits where that is clear, and never classes in silence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vitcli.data.batches.datamodule import Split
from vitcli.data.layouts.cats_dogs import CatsDogsData
from vitcli.data.layouts.folder import FolderData
from vitcli.data.layouts.guess import guess
from vitcli.errors import ConfigError, DataError
from vitcli.images.division.split_words import split_like

Write = Callable[..., None]


def divided(write_images: Write, *folders: str) -> None:
    write_images(*(f"{folder}/{name}/{number}.png" for folder in folders for name in "ab" for number in range(3)))


@pytest.mark.parametrize(
    ("train", "other", "split"),
    [
        ("training_set", "test_set", "test"),
        ("Training", "Testing", "test"),
        ("TRAIN", "EVAL", "val"),
        ("train_images", "val_images", "val"),
        ("images_train", "images_val", "val"),
        ("seg_train", "seg_test", "test"),
        ("TrainingSet", "ValidationSet", "val"),
        ("traindata", "testdata", "test"),
        ("train2017", "val2017", "val"),
        ("birds-train", "birds-dev", "val"),
        ("train", "dev", "val"),
        ("train", "holdout", "test"),
        ("Train Data", "test", "test"),
    ],
)
def test_names_like_splits_are_splits(
    train: str, other: str, split: Split, tmp_path: Path, write_images: Write
) -> None:
    divided(write_images, train, other)
    data = FolderData(str(tmp_path))
    assert data.find_classes() == ("a", "b")
    parts: tuple[Split, Split] = ("train", split)
    listed = {part: list(data.listing(part).paths) for part in parts}
    assert {path.split("/")[0] for path in listed["train"]} == {train}
    assert {path.split("/")[0] for path in listed[split]} == {other}
    assert sum(text.startswith("splits by name: ") for text in data.notices) == 1


def test_a_folder_of_the_same_name_inside_is_entered(tmp_path: Path, write_images: Write) -> None:
    divided(write_images, "seg_train/seg_train", "seg_test/seg_test")
    write_images("seg_pred/seg_pred/1.png")
    data = FolderData(str(tmp_path))
    assert data.find_classes() == ("a", "b")
    assert data.listing("test").paths[0] == "seg_test/seg_test/a/0.png"
    assert "not used: seg_pred/ beside seg_train/, seg_test/ (data.splits names splits)" in data.notices


@pytest.mark.parametrize(
    "names", [("test tube", "train station"), ("bus", "car"), ("retrain", "latest"), ("model_train", "steam_engine")]
)
def test_other_names_stay_classes(names: tuple[str, ...], tmp_path: Path, write_images: Write) -> None:
    write_images(*(f"{name}/x/{number}.png" for name in names for number in range(3)))
    data = FolderData(str(tmp_path))
    assert set(data.find_classes()) == set(names)
    data.listing("train")
    assert not split_like(names)
    assert data.notices == []


@pytest.mark.parametrize("names", [("train", "test"), ("Training", "Testing"), ("train_images", "test_images")])
def test_flat_splits_are_no_classes_unless_it_is_said(
    names: tuple[str, str], tmp_path: Path, write_images: Write
) -> None:
    write_images(*(f"{name}/{number}.png" for name in names for number in range(3)))
    with pytest.raises(DataError, match=r"are named like splits, but hold no class folders; .*data.splits \{\}$"):
        FolderData(str(tmp_path)).find_classes()
    assert set(FolderData(str(tmp_path), splits={}).find_classes()) == set(names)
    # a model that was trained on them knows them as classes
    old = FolderData(str(tmp_path), classes=names)
    assert len(old.listing("train")) > 0


def test_a_class_named_test_is_told_where_another_split_is_named(tmp_path: Path, write_images: Write) -> None:
    write_images("bus/1.png", "test/1.png", "train/1.png")
    data = FolderData(str(tmp_path))
    data.listing("train")
    assert data.notices[0] == (
        "taken as classes, though they are named like splits: test/, train/ (data.splits says which are)"
    )


def test_what_is_not_clear_is_asked(tmp_path: Path, write_images: Write) -> None:
    divided(write_images, "training_set", "test_set", "more")
    message = (
        f"data.root {tmp_path}: test_set/, training_set/ are named like splits, but more/ beside them holds images "
        "too; say which are splits, data.splits {train: training_set, test: test_set}, or that all are classes, "
        "data.splits {}"
    )
    for ask in (FolderData(str(tmp_path)).find_classes, lambda: guess(str(tmp_path))):
        with pytest.raises(DataError) as raised:
            ask()
        assert str(raised.value) == message
    said = FolderData(str(tmp_path), splits={"train": "training_set", "val": "test_set"})
    assert said.find_classes() == ("a", "b")
    assert {path.split("/")[0] for path in said.listing("val").paths} == {"test_set"}
    assert not any("more" in text for text in said.notices)


def test_two_folders_that_look_like_one_split_are_named(tmp_path: Path, write_images: Write) -> None:
    divided(write_images, "train_images", "train_masks", "training", "test_masks")
    with pytest.raises(DataError, match=r"train_images/ and train_masks/ and training/ both name train; say which"):
        FolderData(str(tmp_path)).find_classes()


def test_folders_beside_train_that_are_not_used_are_told(tmp_path: Path, write_images: Write) -> None:
    divided(write_images, "train", "val", "eval", "holdout", "extra")
    (tmp_path / "notes").mkdir()
    data = FolderData(str(tmp_path))
    data.listing("train")
    assert data.notices == [
        "splits by name: test is holdout/ (data.splits says otherwise)",
        "not used: eval/, extra/ beside train/, val/, holdout/ (data.splits names splits)",
    ]


@pytest.mark.parametrize(
    ("splits", "kind", "message"),
    [
        ({"train": "gone"}, DataError, r"^data.splits \{train: gone\}: no such folder in \S+; there are one/, two/$"),
        ({"train": "gone/deep"}, DataError, r"^data.splits \{train: gone/deep\}: no such folder in "),
        ({"dev": "one"}, ConfigError, r"^data.splits \{dev: one\}: 'dev' is no split; use train, val or test$"),
        ({"train": "one", "val": "one/"}, ConfigError, r"^data.splits \{val: one/\}: names a folder twice; "),
    ],
)
def test_a_setting_that_names_no_folder_is_one_line(
    splits: dict[str, str], kind: type[Exception], message: str, tmp_path: Path, write_images: Write
) -> None:
    divided(write_images, "one", "two")
    with pytest.raises(kind, match=message):
        FolderData(str(tmp_path), splits=splits).find_classes()


def test_cats_and_dogs_of_the_best_known_download(tmp_path: Path, write_images: Write) -> None:
    for split in ("training_set", "test_set"):
        write_images(*(f"{split}/{split}/{name}s/{name}.{n}.png" for name in ("cat", "dog") for n in range(3)))
    for data in (CatsDogsData(str(tmp_path)), FolderData(str(tmp_path))):
        assert len(data.listing("test")) == 6
        assert {path.split("/")[0] for path in data.listing("train").paths} == {"training_set"}
