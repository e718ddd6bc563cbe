"""Folders become the splits that the documentation promises, and every mistake is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vitcli.data.layouts.folder import FolderData
from vitcli.errors import ConfigError, DataError
from vitcli.images.division.splits import held_out
from vitcli.images.index.index import Index
from vitcli.images.index.listing import Listing
from vitcli.images.source.entries import Entries, Entry

CATS = [f"cat/{number}.png" for number in range(1, 13)]
DOGS = [f"dog/{number}.png" for number in range(1, 5)]

SPLIT_LINKS = ("train/cat", "train/dog", "val/cat", "val/dog")


def error(data: FolderData, split: Any) -> str:
    with pytest.raises(DataError) as caught:
        data.list_split(split)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(data.root, "ROOT")


def pairs(listing: Listing) -> list[tuple[str, int]]:
    return list(zip(listing.paths, listing.labels.tolist(), strict=True))


def lots(paths: list[str], seed: int) -> NDArray[np.uint64]:
    return Index.of(Entries(Entry(path, 1, 1) for path in paths)).ranks(seed)


def test_the_held_out_images_are_the_same_on_every_machine() -> None:
    paths = [f"cat/{number}.jpg" for number in range(1, 13)]
    for given in (paths, paths[::-1]):
        parts = held_out(lots(given, seed=0), val_fraction=0.2, test_fraction=0.1)
        train, val, test = (sorted(given[place] for place in part) for part in parts)
        assert (val, test) == (["cat/10.jpg", "cat/12.jpg"], ["cat/8.jpg"])
        assert sorted(train + val + test) == sorted(paths)
    _, val, test = ([paths[place] for place in part] for part in held_out(lots(paths, seed=1), 0.2, 0.1))
    assert (val, test) == (["cat/1.jpg", "cat/3.jpg"], ["cat/6.jpg"])


@pytest.mark.parametrize(
    ("count", "sizes"), [(0, (0, 0, 0)), (1, (1, 0, 0)), (2, (1, 1, 0)), (3, (1, 1, 1)), (30, (24, 3, 3))]
)
def test_a_small_class_keeps_an_image_for_training_then_for_val(count: int, sizes: tuple[int, int, int]) -> None:
    parts = held_out(lots([str(number) for number in range(count)], seed=0), 0.1, 0.1)
    assert tuple(len(part) for part in parts) == sizes


def test_one_root_is_divided_class_by_class_without_overlap(tmp_path: Path, write_images: Callable[..., None]) -> None:
    write_images(*CATS, *DOGS, "stray.png")
    data = FolderData(str(tmp_path), val_fraction=0.25, test_fraction=0.25)
    listings = [data.listing(split) for split in ("train", "val", "test")]
    assert data.find_classes() == data.classes == ("cat", "dog")
    assert [listing.labels.tolist().count(0) for listing in listings] == [6, 3, 3]
    assert [listing.labels.tolist().count(1) for listing in listings] == [2, 1, 1]
    assert sorted(path for listing in listings for path in listing.paths) == sorted(CATS + DOGS)
    assert data.notices == [f"left out of {tmp_path}: 1 (file outside of a class folder)"]


def test_predict_lists_every_image_of_the_root(tmp_path: Path, write_images: Callable[..., None]) -> None:
    write_images(*CATS, *DOGS, "owl/1.png", "stray.png")
    data = FolderData(str(tmp_path), classes=("dog", "cat"))
    listed = dict(pairs(data.listing("predict")))
    assert listed == dict.fromkeys(CATS, 1) | dict.fromkeys(DOGS, 0) | {"owl/1.png": -1, "stray.png": -1}
    assert data.notices == ["2 images with no label that the model knows: predicted without one"]


def test_predict_lists_every_split_and_what_lies_beside(tmp_path: Path, write_images: Callable[..., None]) -> None:
    write_images("train/a/1.png", "train/b/1.png", "val/a/2.png", "test/b/3.png", "more/a/4.png")
    listed = dict(pairs(FolderData(str(tmp_path), classes=("a", "b")).listing("predict")))
    expected = {"train/a/1.png": 0, "train/b/1.png": 1, "val/a/2.png": 0, "test/b/3.png": 1, "more/a/4.png": -1}
    assert listed == expected


def test_split_folders_are_taken_as_they_are_at_any_depth(tmp_path: Path, write_images: Callable[..., None]) -> None:
    write_images("Train/a/2.png", "Train/a/10.png", "Train/b/x/y/1.png", "Validation/a/1.png", "Validation/b/1.png")
    write_images("test/a/1.png", "test/b/1.png")
    data = FolderData(str(tmp_path))
    expected = [("Train/a/2.png", 0), ("Train/a/10.png", 0), ("Train/b/x/y/1.png", 1)]
    assert pairs(data.listing("train")) == expected
    assert pairs(data.listing("val")) == [("Validation/a/1.png", 0), ("Validation/b/1.png", 1)]
    assert data.listing("train").open(1).whole(4, 6)[0, 0].tolist() == [1, 100, 50]
    data.listing("test")
    assert data.notices == []


def test_labels_are_matched_by_name_and_not_by_position(tmp_path: Path, write_images: Callable[..., None]) -> None:
    write_images("train/a/1.png", "train/b/1.png", "val/a/1.png", "val/b/1.png")
    data = FolderData(str(tmp_path), classes=("b", "a"))
    assert pairs(data.listing("train")) == [("train/a/1.png", 1), ("train/b/1.png", 0)]


def test_without_a_test_folder_the_test_is_on_val_and_says_so(
    tmp_path: Path, write_images: Callable[..., None]
) -> None:
    write_images("train/a/1.png", "train/b/1.png", "val/a/1.png", "val/b/1.png")
    data = FolderData(str(tmp_path))
    data.listing("train")
    assert data.notices == []
    assert data.listing("test").paths == data.listing("val").paths
    assert data.notices == ["no test images: testing on val, whose images have already chosen the best checkpoint"]


def test_without_a_val_folder_val_is_held_out_from_train_and_says_so(
    tmp_path: Path, write_images: Callable[..., None]
) -> None:
    write_images(*(f"train/{path}" for path in CATS + DOGS), "test/cat/1.png", "test/dog/1.png")
    data = FolderData(str(tmp_path))
    assert len(data.listing("train")) == 14
    assert len(data.listing("val")) == 2
    assert data.listing("test").paths == ["test/cat/1.png", "test/dog/1.png"]
    assert data.notices == ["no val folder: val is held out from train (data.val_fraction 0.1)"]


def test_a_class_may_be_called_test(tmp_path: Path, write_images: Callable[..., None]) -> None:
    write_images("bus/1.png", "test/1.png", "train/1.png")
    assert FolderData(str(tmp_path)).find_classes() == ("bus", "test", "train")


def test_classes_are_in_natural_order(tmp_path: Path, write_images: Callable[..., None]) -> None:
    write_images("c10/1.png", "c9/1.png", ".git/1.png", "__MACOSX/1.png")
    assert FolderData(str(tmp_path)).find_classes() == ("c9", "c10")


def test_an_unknown_class_is_named_with_the_nearest(tmp_path: Path, write_images: Callable[..., None]) -> None:
    write_images("train/cat/1.png", "train/dog/1.png", "val/cat/1.png", "val/dgo/1.png")
    data = FolderData(str(tmp_path), classes=("cat", "dog"))
    assert error(data, "val") == (
        "data.root ROOT, val: class 'dgo' is none of the model's 2 classes, the nearest is 'dog'; "
        "rename or remove the folder"
    )


def test_a_missing_class_folder_is_named(tmp_path: Path, write_images: Callable[..., None]) -> None:
    write_images("train/cat/1.png", "train/dog/1.png", "val/cat/1.png")
    data = FolderData(str(tmp_path))
    assert error(data, "val") == (
        "data.root ROOT: class 'dog' has no folder for val, expected ROOT/val/dog; "
        "create it; an empty folder says that there are none"
    )
    (tmp_path / "val" / "dog").mkdir()
    data = FolderData(str(tmp_path))
    assert pairs(data.listing("val")) == [("val/cat/1.png", 0)]
    assert data.notices == ["no images in val of dog"]


def test_an_empty_class_of_train_is_named(tmp_path: Path, write_images: Callable[..., None]) -> None:
    write_images("cat/1.png")
    (tmp_path / "dog").mkdir()
    (tmp_path / "dog" / "readme.txt").touch()
    expected = "data.root ROOT: no images for train in dog; add some, or remove the folder"
    assert error(FolderData(str(tmp_path)), "train") == expected


def test_a_folder_of_nothing_but_links_says_how_they_are_followed(
    tmp_path: Path, write_images: Callable[..., None]
) -> None:
    write_images("elsewhere/1.png", "elsewhere/2.png")
    root = tmp_path / "root"
    for name, number in (("cat", 1), ("dog", 2)):
        (root / name).mkdir(parents=True)
        (root / name / "1.png").symlink_to(tmp_path / "elsewhere" / f"{number}.png")
    with pytest.raises(DataError) as raised:
        FolderData(str(root)).listing("train")
    assert str(raised.value) == (
        f"data.root {root}: no images for train in cat, dog; 2 links were left out; data.follow_links true follows them"
    )
    data = FolderData(str(root), val_fraction=0, test_fraction=0, follow_links=True)
    assert pairs(data.listing("train")) == [("cat/1.png", 0), ("dog/1.png", 1)]


@pytest.mark.parametrize("folders", [("cat", "dog"), ("train/cat", "train/dog"), ("dog",), SPLIT_LINKS])
def test_class_folders_that_are_links_say_how_they_are_followed(
    folders: tuple[str, ...], tmp_path: Path, write_images: Callable[..., None]
) -> None:
    write_images("elsewhere/cat/1.png", "elsewhere/dog/2.png", "root/cat/3.png" if len(folders) == 1 else "else/3.png")
    root = tmp_path / "root"
    for path in folders:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).symlink_to(tmp_path / "elsewhere" / path.split("/")[-1])
    with pytest.raises(DataError, match=r"; [12] links? there (is|are) left out; data.follow_links true follows them$"):
        FolderData(str(root)).find_classes()
    assert FolderData(str(root), follow_links=True).find_classes() == ("cat", "dog")


def test_a_train_folder_that_is_a_link_says_so(tmp_path: Path, write_images: Callable[..., None]) -> None:
    write_images("elsewhere/cat/1.png", "elsewhere/dog/2.png", "root/val/cat/3.png", "root/val/dog/3.png")
    (tmp_path / "root" / "train").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"has val but no train; 1 link there is left out; data.follow_links true"):
        FolderData(str(tmp_path / "root")).find_classes()


@pytest.mark.parametrize(
    ("ending", "message"),
    [
        ("NEF", "2 files end in .nef; raw photos: convert them to JPEG"),
        ("jxl", "2 files end in .jxl; convert them to PNG"),
    ],
)
def test_pictures_that_are_not_read_are_named_with_the_remedy(ending: str, message: str, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"1.{ending}").write_bytes(b"picture")
    assert f"data.root ROOT: no images for train in cat, dog; {message}" in error(FolderData(str(tmp_path)), "train")
    with pytest.raises(DataError, match=f"no images in it; {message}"):
        FolderData(str(tmp_path), classes=("cat", "dog")).listing("predict")


def test_a_class_of_the_model_without_a_train_folder_is_named(
    tmp_path: Path, write_images: Callable[..., None]
) -> None:
    write_images("train/cat/1.png", "train/dog/1.png")
    expected = "data.root ROOT: class 'owl' has no folder for train, expected ROOT/train/owl; add its images there"
    assert error(FolderData(str(tmp_path), classes=("cat", "dog", "owl")), "train") == expected


def test_two_folders_of_one_split_are_named(tmp_path: Path, write_images: Callable[..., None]) -> None:
    write_images("train/cat/1.png", "val/cat/1.png", "valid/cat/1.png")
    expected = "data.root ROOT: val/ and valid/ both name val; keep one of them"
    assert error(FolderData(str(tmp_path), classes=("cat",)), "train") == expected


def test_a_test_without_train_is_possible_and_training_without_it_is_not(
    tmp_path: Path, write_images: Callable[..., None]
) -> None:
    write_images("test/cat/1.png", "test/dog/1.png")
    data = FolderData(str(tmp_path), classes=("cat", "dog"))
    assert len(data.listing("test")) == 2
    assert error(data, "train") == "data.root ROOT: no train folder; add the folder train/"
    with pytest.raises(DataError, match=r"has test but no train; add the folder train/$"):
        data.find_classes()


def test_nothing_held_out_leaves_nothing_to_test_on(tmp_path: Path, write_images: Callable[..., None]) -> None:
    write_images(*CATS, *DOGS)
    data = FolderData(str(tmp_path), val_fraction=0, test_fraction=0)
    assert len(data.listing("train")) == 16
    assert len(data.listing("val")) == 0
    assert data.notices == ["no images in val: training goes on without validation"]
    assert error(data, "test") == "data.root ROOT: no images for test; add the folder test/ or raise data.test_fraction"


def test_a_root_without_classes_is_named_by_both_ways_in(tmp_path: Path, write_images: Callable[..., None]) -> None:
    write_images("1.png")
    for root, message in [
        (tmp_path, "no class folders in .*; put the images of each class into a folder"),
        (tmp_path / "gone", "no such folder; check the path"),
        (tmp_path / "1.png", "is a file, not a folder; name the folder"),
    ]:
        for ask in (FolderData(str(root)).find_classes, lambda root=root: FolderData(str(root)).list_split("train")):
            with pytest.raises(DataError, match=rf"^data.root {root}: {message}"):
                ask()


def test_a_root_one_folder_too_high_is_told_where_to_look(tmp_path: Path, write_images: Callable[..., None]) -> None:
    write_images("photos/train/a/1.png", "photos/train/b/1.png")
    with pytest.raises(DataError, match=r"only one class folder, photos/; did you mean --data.root \S+/photos\?$"):
        FolderData(str(tmp_path)).find_classes()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"val_fraction": 1.0}, r"^data.val_fraction 1.0: outside \[0, 1\); "),
        ({"test_fraction": -0.1}, r"^data.test_fraction -0.1: outside \[0, 1\); "),
        (
            {"val_fraction": 0.5, "test_fraction": 0.5},
            r"^data.val_fraction 0.5: with data.test_fraction 0.5 nothing is left",
        ),
        ({"batch_size": 0}, r"^data.batch_size 0: below 1; "),
        ({"num_workers": -1}, r"^data.num_workers -1: below 0; "),
        ({"seed": -1}, r"^data.seed -1: below 0; "),
        ({"classes": ("a", "b", "a")}, r"^data.classes \['a', 'b', 'a'\]: 'a' is named twice; "),
    ],
)
def test_a_setting_out_of_range_is_named(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        FolderData("photos", **setting)


def test_a_folder_of_one_class_alone_is_told_to_be_too_deep(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    data = FolderData(str(tmp_path), classes=("cat", "dog"), test_fraction=0.5)
    expected = (
        "data.root ROOT: none of its images lies in the folder of a class (cat/, dog/); name the folder above those"
    )
    assert error(data, "test") == error(data, "val") == expected
