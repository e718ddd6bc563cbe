"""Folds and groups: each image is in val of one fold, no group is in two splits, and what cannot be is one line."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.conftest import photo
from vitcli.data.layouts.folder import FolderData
from vitcli.data.layouts.labelled import LabelledFiles
from vitcli.data.layouts.manifest import ManifestData
from vitcli.errors import UserError

Write = Callable[..., None]
# six animals with one to six photos each
ANIMALS = [f"{kind}/{name}_{number}.png" for kind in ("cat", "dog") for name, count in zip("abcdef", range(1, 7), strict=True) for number in range(count)]  # fmt: skip  # noqa: E501
PATTERN = r"([a-z])_\d+[.]png$"
# of six cats and six dogs
EXPECTED = [
    ["cat/4.png", "cat/6.png", "dog/2.png", "dog/5.png"],
    ["cat/1.png", "cat/2.png", "dog/1.png", "dog/4.png"],
    ["cat/3.png", "cat/5.png", "dog/3.png", "dog/6.png"],
]
BY_KIND = r"^(\w+/[a-z])_"


def split_of(data: LabelledFiles) -> dict[str, str]:
    """The split of each path."""
    return {path: split for split in ("train", "val") for path in data.listing(split).paths}  # type: ignore[arg-type]


def error(make: Callable[[], LabelledFiles], split: str = "val") -> str:
    with pytest.raises(UserError) as caught:
        make().listing(split)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def table(folder: Path, rows: Sequence[Sequence[str]], heading: str = "path,label,group") -> str:
    with (folder / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([heading.split(","), *rows])
    return str(folder / "t.csv")


def test_each_image_is_in_val_of_exactly_one_fold(tmp_path: Path, write_images: Write) -> None:
    cats, dogs = [f"cat/{number}.png" for number in range(13)], [f"dog/{number}.png" for number in range(7)]
    write_images(*cats, *dogs)
    vals = []
    for fold in range(1, 6):
        data = FolderData(str(tmp_path), folds=5, fold=fold)
        where = split_of(data)
        assert sorted(where) == sorted(cats + dogs)
        vals += [path for path, split in where.items() if split == "val"]
        assert data.listing("test").paths == data.listing("val").paths
        assert data.listing("val").labels.tolist().count(0) in (2, 3)
    assert sorted(vals) == sorted(cats + dogs)


def test_the_folds_are_the_same_on_every_machine(tmp_path: Path, write_images: Write) -> None:
    write_images(*(f"{kind}/{number}.png" for kind in ("cat", "dog") for number in range(1, 7)))
    vals = [FolderData(str(tmp_path), folds=3, fold=fold).listing("val").paths for fold in (1, 2, 3)]
    assert [list(paths) for paths in vals] == EXPECTED
    other = FolderData(str(tmp_path), folds=3, fold=1, split_seed=1)
    assert list(other.listing("val").paths) != EXPECTED[0]


def test_a_test_folder_stays_as_it_is_and_a_test_share_is_the_same_in_every_fold(
    tmp_path: Path, write_images: Write
) -> None:
    images = [f"{kind}/{number}.png" for kind in ("cat", "dog") for number in range(10)]
    write_images(*(f"own/train/{path}" for path in images), *(f"own/test/{path}" for path in images[::5]))
    write_images(*(f"all/{path}" for path in images))
    own = [FolderData(str(tmp_path / "own"), folds=2, fold=fold) for fold in (1, 2)]
    assert [len(data.listing("test")) for data in own] == [4, 4]
    assert sorted([*own[0].listing("val").paths, *own[1].listing("val").paths]) == [f"train/{path}" for path in images]
    assert own[0].notices == ["no val folder: val is held out from train (data.fold 1 of 2)"]
    held = [FolderData(str(tmp_path / "all"), folds=2, fold=fold, test_fraction=0.2) for fold in (1, 2)]
    tests = [set(data.listing("test").paths) for data in held]
    assert tests[0] == tests[1]
    assert len(tests[0]) == 4
    vals = [set(data.listing("val").paths) for data in held]
    assert (vals[0] | vals[1] | tests[0], vals[0] & vals[1]) == ({*images}, set())


def test_equal_files_are_in_one_fold(tmp_path: Path) -> None:
    for number in range(20):
        for name in ("one", "two"):
            file = tmp_path / "p" / ("cat" if number % 2 else "dog") / f"{name}{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            photo(number, (20, 20)).save(file)
    for fold in (1, 2, 3):
        data = FolderData(str(tmp_path / "p"), folds=3, fold=fold, cache_dir=str(tmp_path / "cache"))
        where = split_of(data)
        assert all(where[path] == where[path.replace("one", "two")] for path in where)
        data.look_for_leaks()
        assert data.notices == []


@pytest.mark.parametrize("fold", [1, 2, 3, None])
def test_no_group_is_in_two_splits_by_pattern_and_by_table(
    fold: int | None, tmp_path: Path, write_images: Write
) -> None:
    write_images(*ANIMALS)
    options = {"val_fraction": 0.25, "test_fraction": 0.25} if fold is None else {"folds": 3, "fold": fold}
    rows = [(path, path[:3], path.split("/")[1][0]) for path in ANIMALS]
    for data in (
        FolderData(str(tmp_path), group_pattern=PATTERN, **options),
        ManifestData(table(tmp_path, rows), **options),  # type: ignore[arg-type]
    ):
        where = split_of(data) | (dict.fromkeys(data.listing("test").paths, "test") if fold is None else {})
        assert sorted(where) == sorted(ANIMALS)
        groups: dict[str, set[str]] = {}
        for path, split in where.items():
            groups.setdefault(path.split("/")[1][0], set()).add(split)
        assert [len(splits) for splits in groups.values()] == [1] * 6
        assert any(notice.endswith(": 6 groups") for notice in data.notices)


def test_the_whole_match_names_the_group_where_the_pattern_has_none(tmp_path: Path, write_images: Write) -> None:
    write_images(*(f"train/{path}" for path in ANIMALS))
    whole = FolderData(str(tmp_path), group_pattern=r"^\w+/[a-z]", folds=3, fold=1)
    one = FolderData(str(tmp_path), group_pattern=BY_KIND, folds=3, fold=1)
    assert split_of(whole) == split_of(one)
    assert one.notices[0] == f"data.group_pattern {BY_KIND}: 12 groups"


def test_a_row_without_a_group_is_by_itself(tmp_path: Path, write_images: Write) -> None:
    write_images(*ANIMALS)
    rows = [(path, path[:3], "a" if path.startswith("cat/f") else "") for path in ANIMALS]
    data = ManifestData(table(tmp_path, rows), folds=3, fold=1)
    where = split_of(data)
    assert len({where[path] for path in ANIMALS if path.startswith("cat/f")}) == 1
    assert data.notices[0] == f"36 rows of {data.root} without a group: each by itself"


def test_a_group_that_is_no_number_is_none(tmp_path: Path, write_images: Write) -> None:
    write_images(*ANIMALS)
    rows = [
        {"path": path, "label": path[:3], "group": math.nan if number % 3 else 7.0}
        for number, path in enumerate(ANIMALS)
    ]
    (tmp_path / "t.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    data = ManifestData(str(tmp_path / "t.jsonl"), folds=3, fold=1)
    split_of(data)
    assert data.notices[0] == f"28 rows of {data.root} without a group: each by itself"


def test_a_group_that_lies_in_two_folders_is_told_before_training(tmp_path: Path, write_images: Write) -> None:
    write_images("train/cat/a_0.png", "train/dog/b_0.png", "val/cat/a_1.png", "val/dog/c_1.png", size=(20, 20))
    data = FolderData(str(tmp_path), group_pattern=PATTERN, cache_dir=str(tmp_path / "cache"))
    data.setup("fit")
    told = [notice for notice in data.notices if "same group" in notice]
    assert told == [
        "the same group in train too: 1 val image, such as val/cat/a_1.png = train/cat/a_0.png; scores will be too "
        f"good (see vitcli check {tmp_path})"
    ]


def kept(data: LabelledFiles, file: Path) -> dict[str, str]:
    data.keep_division(file)
    return split_of(data)


def test_what_comes_later_goes_with_its_group_and_to_val_of_one_fold(tmp_path: Path, write_photos: Write) -> None:
    write_photos(*(f"p/{path}" for path in ANIMALS), size=(20, 20))

    def opened(fold: int, kept_division: Path | None = None) -> FolderData:
        options = {"folds": 3, "fold": fold, "group_pattern": BY_KIND, "cache_dir": str(tmp_path / "cache")}
        data = FolderData(str(tmp_path / "p"), **options)
        data.kept_division = kept_division
        return data

    files = {fold: tmp_path / f"{fold}.csv" for fold in (1, 2, 3)}
    then = {fold: kept(opened(fold), file) for fold, file in files.items()}
    assert files[1].read_text().startswith("path,split,digest,group\n")
    # more photos of known animals, among them one of which none is left, and of new ones
    (tmp_path / "p" / "cat" / "a_0.png").unlink()
    new = [f"cat/{name}_9.png" for name in "abcdefghijklm"]
    write_photos(*(f"p/{path}" for path in new), first=900, size=(20, 20))
    vals: list[str] = []
    for fold, file in files.items():
        now = split_of(opened(fold, file))
        assert now == {**now, **{path: split for path, split in then[fold].items() if path != "cat/a_0.png"}}
        assert all(now[f"cat/{name}_9.png"] == then[fold][f"cat/{name}_0.png"] for name in "abcdef")
        vals += [path for path, split in now.items() if split == "val" and path in new]
    assert sorted(vals) == sorted(new)


def test_a_division_of_a_run_holds_whatever_folds_are_named_later(tmp_path: Path, write_photos: Write) -> None:
    write_photos(*(f"p/{path}" for path in ANIMALS), size=(20, 20))
    options = {"cache_dir": str(tmp_path / "cache")}
    first = FolderData(str(tmp_path / "p"), folds=3, fold=1, **options)  # type: ignore[arg-type]
    then = kept(first, tmp_path / "splits.csv")
    other = FolderData(str(tmp_path / "p"), folds=3, fold=2, **options)  # type: ignore[arg-type]
    other.kept_division = tmp_path / "splits.csv"
    assert split_of(other) == then
    assert "says already which split" in other.unused["data.fold"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"folds": 5}, "data.folds 5: which of them is val? Set data.fold too, from 1 to 5"),
        ({"fold": 2}, "data.fold 2: one of how many? Set data.folds too, such as 5"),
        ({"folds": 1, "fold": 1}, "data.folds 1: below 2; one is val, and the others are for training"),
        ({"folds": 0, "fold": 0}, "data.folds 0: below 2; one is val, and the others are for training"),
        ({"folds": 5, "fold": 6}, "data.fold 6: outside 1 to 5 (data.folds 5); choose one of them"),
        ({"folds": 5, "fold": 0}, "data.fold 0: outside 1 to 5 (data.folds 5); choose one of them"),
        ({"folds": 5, "fold": 1, "test_fraction": 1.0}, "data.test_fraction 1.0: outside [0, 1); give a share such as 0.1"),  # noqa: E501
        ({"group_pattern": "("}, "data.group_pattern (: is no regular expression (missing ), unterminated subpattern at position 0); correct it"),  # noqa: E501
        ({"group_pattern": "(a)(b)"}, "data.group_pattern (a)(b): has 2 groups; give one that names the group of an image, and write the others (?:...)"),  # noqa: E501
    ],
)  # fmt: skip
def test_settings_that_contradict_are_named(options: dict[str, object], said: str, tmp_path: Path) -> None:
    assert error(lambda: FolderData(str(tmp_path), **options)) == said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"group_pattern": r"(\d{5})"}, r"data.group_pattern (\d{5}): finds nothing in any of 42 paths, such as 'cat/a_0.png'; its group 1, or else all that it matches, names the group of an image; correct it"),  # noqa: E501
        ({"group_pattern": "(a|b)_"}, "data.group_pattern (a|b)_: finds nothing in 36 of 42 paths, such as 'cat/c_0.png'; correct it; |.+ behind it makes each such image a group of its own"),  # noqa: E501
        ({"group_pattern": "png", "folds": 2, "fold": 1}, "data.group_pattern png: only 1 group, such as 'png' (cat/a_0.png), too few for data.folds 2; lower data.folds"),  # noqa: E501
        ({"group_pattern": "png"}, "data.group_pattern png: only 1 group, such as 'png' (cat/a_0.png), too few for train, val, test; tell more groups apart, or set a fraction to 0"),  # noqa: E501
        ({"group_pattern": "cat|dog", "folds": 2, "fold": 1}, "data.group_pattern cat|dog: all 21 images of class 'cat' are in one group, 'cat' (cat/a_0.png), and none is left to train on where they are in val; tell more groups apart, or leave the class out"),  # noqa: E501
        ({"group_pattern": "/.", "val_fraction": 0.01}, "data.val_fraction 0.01: no group is left for val, of 6 (data.group_pattern /.); raise it, set it to 0, or use data.folds"),  # noqa: E501
        ({"folds": 50, "fold": 1}, "data.folds 50: only 42 images, such as cat/a_0.png, too few for data.folds 50; lower data.folds"),  # noqa: E501
        ({"folds": 10**11, "fold": 7, "test_fraction": 0.1}, "data.folds 100000000000: only 42 images, such as cat/a_0.png, too few for data.folds 100000000000 and a test share; lower data.folds"),  # noqa: E501
    ],
)  # fmt: skip
def test_groups_and_folds_that_cannot_be_are_one_line(
    options: dict[str, object], said: str, tmp_path: Path, write_photos: Write
) -> None:
    write_photos(*ANIMALS, size=(8, 8))
    assert error(lambda: FolderData(str(tmp_path), **options)).startswith(said)


def test_no_images_are_divided_into_any_number_of_folds_at_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    parts = FolderData(str(tmp_path), folds=10**11, fold=1).look_at_all()
    assert sum(map(len, parts.values())) == 0


def test_a_class_of_one_image_is_named(tmp_path: Path, write_photos: Write) -> None:
    write_photos(*ANIMALS, "owl/1.png", size=(8, 8))
    assert error(lambda: FolderData(str(tmp_path), folds=3, fold=1)) == (
        "data.folds 3: class 'owl' has only 1 image, owl/1.png, and none is left to train on where they are in val; "
        "add some, or leave the class out"
    )


def test_a_val_folder_of_its_own_leaves_no_folds(tmp_path: Path, write_images: Write) -> None:
    write_images("train/a/1.png", "train/b/1.png", "val/a/1.png", "val/b/1.png")
    assert error(lambda: FolderData(str(tmp_path), folds=3, fold=1)) == (
        f"data.folds 3: {tmp_path} has images for val already; put them to train, by folder, by the table's split or "
        "by data.splits, or leave data.folds out"
    )


def test_another_column_holds_the_groups_or_is_named(tmp_path: Path, write_images: Write) -> None:
    write_images(*ANIMALS)
    root = table(tmp_path, [(path, path[:3], path[4]) for path in ANIMALS], "path,label,who")
    data = ManifestData(root, group_column="who")
    assert len({path[4] for path in data.listing("val").paths}) == 1
    assert error(lambda: ManifestData(root, group_column="patient")) == (
        f"data.group_column patient: no row of {root} has such a column; name one of its columns, or leave it out"
    )
    assert error(lambda: ManifestData(root, group_column="who", group_pattern="x")) == (
        "data.group_column who: not together with data.group_pattern x; leave out one of them"
    )


def test_rare_classes_and_large_groups_are_told(tmp_path: Path, write_photos: Write) -> None:
    many = [f"dog/f_{number}.png" for number in range(6, 60)]
    write_photos(*ANIMALS, *many, "owl/x_1.png", "owl/y_1.png", size=(8, 8))
    data = FolderData(str(tmp_path), folds=3, fold=1, group_pattern=PATTERN)
    data.listing("val")
    assert data.notices[1:3] == [
        "data.folds 3: not every fold has images of owl (2 groups)",
        "folds of 15 to 66 images: 'f' (cat/f_0.png) alone has 66, and groups stay whole",
    ]
