"""Pictures in shards become the same labelled splits as in a folder, and what is wrong with a shard is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import picture_bytes
from tests.data.shown import shown
from tests.images.source.shards.write import samples, write_shard
from vitcli.data.batches.position import names_and_labels
from vitcli.data.layouts.folder import FolderData
from vitcli.data.layouts.guess import guess
from vitcli.data.layouts.shards import ShardsData
from vitcli.errors import ConfigError, DataError
from vitcli.preprocess import Preprocess

NAMES = ("cat", "dog")


def pictured(count: int, of: Callable[[int], dict[str, bytes]]) -> dict[str, bytes]:
    """Samples of pictures and of what lies beside each."""
    found: dict[str, bytes] = {}
    for number in range(count):
        found[f"{number:06d}.png"] = picture_bytes(number)
        found |= {f"{number:06d}.{kind}": content for kind, content in of(number).items()}
    return found


def cls(number: int) -> dict[str, bytes]:
    return {"cls": str(number % 2).encode()}


def labelled(data: ShardsData, split: Any = "train") -> dict[str, str]:
    """The class of each picture of a split."""
    listing = data.listing(split)
    return {path: data.classes[label] for path, label in zip(listing.paths, listing.labels.tolist(), strict=True)}


@pytest.mark.parametrize(
    ("beside", "file", "options"),
    [
        (lambda number: {"cls": f"{number % 2}\n".encode()}, ("classes.txt", "cat\ndog\n"), {}),
        (lambda number: {"cls": NAMES[number % 2].encode()}, None, {}),
        (lambda number: {"txt": NAMES[number % 2].encode()}, None, {}),
        (lambda number: {"json": json.dumps({"label": number % 2}).encode()}, ("classes.json", '["cat", "dog"]'), {}),
        (lambda number: {"json": json.dumps({"class": NAMES[number % 2]}).encode()}, None, {}),
        (lambda number: {"json": b'{"kind": "%s", "label": 3}' % NAMES[number % 2].encode()}, None,
         {"label_field": "kind"}),
        # as img2dataset writes it, a caption beside what is known of the picture
        (lambda number: {"cls": str(number % 2).encode(), "txt": b"a photo", "json": b'{"url": "x"}'},
         ("classes.json", '{"dog": 1, "cat": 0}'), {}),
        (lambda number: {"cls": b"7", "txt": NAMES[number % 2].encode()}, None, {"labels": "txt"}),
    ],
)  # fmt: skip
def test_labels_are_read_where_they_stand(
    tmp_path: Path, beside: Any, file: tuple[str, str] | None, options: dict[str, Any]
) -> None:
    write_shard(tmp_path / "0.tar", pictured(8, beside))
    if file:
        (tmp_path / file[0]).write_text(file[1])
    data = ShardsData(str(tmp_path), val_fraction=0, test_fraction=0, **options)
    assert data.find_classes() == NAMES
    assert labelled(data) == {f"{number:06d}.png": NAMES[number % 2] for number in range(8)}
    assert any("labels: ." in notice for notice in data.notices)
    assert guess(str(tmp_path)) == "ShardsData"
    if "cls" in beside(0):
        assert guess(str(tmp_path / "0.tar")) == "ShardsData"


def test_numbers_that_nothing_names_are_classes_in_their_order(tmp_path: Path) -> None:
    write_shard(tmp_path / "0.tar", pictured(12, lambda number: {"cls": str(number).encode()}))
    data = ShardsData(str(tmp_path), val_fraction=0, test_fraction=0)
    assert data.find_classes() == tuple(map(str, range(12)))
    assert any("numbers, which no classes.txt or classes.json names" in notice for notice in data.notices)


@pytest.mark.parametrize("names", ["{split}-000000.tar", "{split}/000000.tar", "birds-{split}-000000.tar"])
def test_shards_named_by_split_are_of_it(tmp_path: Path, names: str) -> None:
    for start, split in ((0, "train"), (6, "val"), (10, "test")):
        write_shard(tmp_path / names.format(split=split), samples(4, start=start))
    data = ShardsData(str(tmp_path))
    data.classes = data.find_classes()
    assert {split: len(data.listing(split)) for split in ("train", "val", "test", "predict")} == {  # type: ignore[arg-type]
        "train": 4, "val": 4, "test": 4, "predict": 12
    }  # fmt: skip
    assert labelled(data, "val")["000007.jpg"] == "1"


def test_shards_that_name_no_split_beside_others_are_left_out_and_said_so(tmp_path: Path) -> None:
    for start, name in ((0, "train-0"), (4, "val-0"), (8, "more-0")):
        write_shard(tmp_path / f"{name}.tar", samples(4, start=start))
    data = ShardsData(str(tmp_path))
    assert len(data.listing("train")) == 4
    assert any("4 (picture in a tar whose name says no split)" in notice for notice in data.notices)


def test_folders_in_the_keys_are_classes_and_splits_above_them_are_splits(tmp_path: Path) -> None:
    paths = [f"{split}/{label}/{n}.jpg" for split in ("train", "val") for label in NAMES for n in range(3)]
    write_shard(tmp_path / "0.tar", dict.fromkeys(paths, b"x"))
    data = ShardsData(str(tmp_path))
    assert data.find_classes() == NAMES
    assert labelled(data) == {path: path.split("/")[1] for path in paths[:6]}
    assert list(labelled(data, "val")) == paths[6:]
    # as any layout of folders reads a folder of tars
    assert guess(str(tmp_path)) == "FolderData"
    assert list(FolderData(str(tmp_path)).listing("train").paths) == paths[:6]


def test_the_same_pictures_in_shards_and_in_a_folder_make_the_same_batches(tmp_path: Path) -> None:
    files = {f"{label}/{number}.png": picture_bytes(number) for label in NAMES for number in range(10)}
    for path, content in files.items():
        (tmp_path / "folder" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / path).write_bytes(content)
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "classes.txt").write_text("cat\ndog\n")
    for number, path in enumerate(sorted(files, reverse=True)):
        label = str(NAMES.index(path.split("/")[0])).encode()
        # each in a shard of its own, in another order
        write_shard(tmp_path / "shards" / f"{number:06d}.tar", {path: files[path], f"{path[:-4]}.cls": label})
    options: dict[str, Any] = {"batch_size": 3, "preprocess": Preprocess(size=(8, 8)), "seed": 7}
    folder, shards = FolderData(str(tmp_path / "folder"), **options), ShardsData(str(tmp_path / "shards"), **options)
    expected = shown(folder)
    assert len(expected) == 7
    assert shown(shards) == expected
    # by which a run that was left in the middle of an epoch goes on
    assert names_and_labels(shards.listing("train")) == names_and_labels(folder.listing("train"))


def test_a_key_without_a_picture_and_a_picture_without_a_label_are_counted(tmp_path: Path) -> None:
    members = samples(6) | {"lonely.cls": b"1", "plain.jpg": b"x", "empty.jpg": b"x", "empty.cls": b" \n"}
    write_shard(tmp_path / "0.tar", members)
    data = ShardsData(str(tmp_path), val_fraction=0, test_fraction=0)
    assert len(data.listing("train")) == 6
    said = next(notice for notice in data.notices if notice.startswith("left out of"))
    assert "2 (picture without a label)" in said
    assert "1 (key without a picture)" in said
    # a row for each picture, whatever is known of it
    assert len(data.listing("predict")) == 8
    assert int((data.listing("predict").labels == -1).sum()) == 2


@pytest.mark.parametrize(
    ("members", "file", "words"),
    [
        (samples(4) | samples(2, "txt", start=4), None,
         "labels of two kinds: 4 pictures with a .cls, and 2 with a .txt alone, such as 000004.jpg; say which holds, "
         "data.labels cls"),
        (samples(4) | {"x.jpg": b"", "x.cls": b"cat"}, None,
         "labels of two kinds: the number 0 (000000.jpg) and the name 'cat' (x.jpg); make all of them one or"),
        (samples(4) | {"x.jpg": b"", "x.cls": b"2"}, ("classes.txt", "cat\ndog"),
         "label 2 of x.jpg is out of classes.txt, which names 2 classes; add its name, or correct the label"),
        (samples(4), ("classes.json", '{"cat": "dog"}'), "classes.json does not name classes ('dog' is no whole"),
        (samples(4), ("classes.json", '{"cat": 0, "dog": 0, "cow": 1}'), "classes (number 0 stands there twice"),
        (samples(4), ("classes.json", '{"0": "cat", "00": "dog"}'), "classes (number 0 stands there twice); give a"),
        (samples(4), ("classes.json", '{"cat": 0.5, "dog": 1}'), "classes (0.5 is no whole number); give a name"),
        (samples(4), ("classes.json", '{"cat": Infinity, "dog": 1}'), "classes (inf is no whole number); give a name"),
        (samples(4), ("classes.txt", "cat\ncat"), "classes.txt gives 'cat' to two numbers; give each its own"),
        ({"a.jpg": b"x", "b.jpg": b"y"}, None,
         "no labels in key.cls, key.json, key.txt or folders; a classifier needs two classes; pictures without labels"),
        ({"a.jpg": b"x", "a.cls": b"1"}, None, "only the label '1' in key.cls"),
    ],
)  # fmt: skip
def test_labels_that_contradict_each_other_are_named(
    tmp_path: Path, members: dict[str, bytes], file: tuple[str, str] | None, words: str
) -> None:
    write_shard(tmp_path / "0.tar", members)
    if file:
        (tmp_path / file[0]).write_text(file[1])
    with pytest.raises(DataError) as caught:
        ShardsData(str(tmp_path)).listing("train")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_where_labels_stand_is_one_of_five_words(tmp_path: Path) -> None:
    write_shard(tmp_path / "0.tar", samples(4))
    with pytest.raises(
        ConfigError, match=r"data.labels xml: is none of auto, cls, json, txt, folder; name one of them"
    ):
        ShardsData(str(tmp_path), labels="xml").find_classes()  # type: ignore[arg-type]


def test_a_class_that_the_model_does_not_know_and_one_without_a_picture_are_named(tmp_path: Path) -> None:
    write_shard(tmp_path / "0.tar", samples(4))
    with pytest.raises(DataError, match=r"class '1' is none of the model's 2 classes"):
        ShardsData(str(tmp_path), classes=("0", "2")).listing("train")
    with pytest.raises(DataError, match=r"no pictures for train of 2; add some"):
        ShardsData(str(tmp_path), classes=("0", "1", "2")).listing("train")


def test_folds_and_groups_divide_shards_as_they_divide_a_folder(tmp_path: Path) -> None:
    members = {}
    for number in range(12):
        members |= {f"p{number // 3}_{number}.jpg": b"x", f"p{number // 3}_{number}.cls": str(number % 2).encode()}
    write_shard(tmp_path / "0.tar", members)
    data = ShardsData(str(tmp_path), folds=2, fold=1, group_pattern="^(p[0-9])_")
    held = [{path[:2] for path in data.listing(split).paths} for split in ("train", "val")]  # type: ignore[arg-type]
    assert held[0]
    assert held[1]
    assert not held[0] & held[1]
    assert np.isin(data.listing("train").labels, (0, 1)).all()
