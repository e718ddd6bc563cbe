"""The division of a run holds, whatever is added, removed or renamed since."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import photo
from vitcli.data.layouts.folder import FolderData
from vitcli.data.layouts.labelled import LabelledFiles
from vitcli.data.layouts.manifest import ManifestData
from vitcli.errors import DataError

Make = Callable[..., LabelledFiles]
SPLITS = ("train", "val", "test")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Twenty photos of each of two classes, all different."""
    for number, name in enumerate(("cat", "dog")):
        (tmp_path / "p" / name).mkdir(parents=True)
        for count in range(20):
            photo(100 * number + count, (20, 20)).save(tmp_path / "p" / name / f"{count}.png")
    return tmp_path / "p"


def opened(root: Path, kept: Path | None, fractions: float = 0.2) -> FolderData:
    cache = str(root.parent / "cache")
    data = FolderData(str(root), val_fraction=fractions, test_fraction=fractions, cache_dir=cache)
    data.kept_division = kept
    return data


def fitted(root: Path) -> tuple[Path, dict[str, set[str]]]:
    """The division that a fit keeps, and what it holds."""
    data = opened(root, None)
    data.setup("fit")
    file = root.parent / "splits.csv"
    data.keep_division(file)
    return file, listed(data)


def listed(data: LabelledFiles) -> dict[str, set[str]]:
    return {split: set(data.listing(split).paths) for split in SPLITS}  # type: ignore[arg-type]


def content(root: Path, paths: set[str]) -> set[bytes]:
    return {(root / path).read_bytes() for path in paths}


def test_a_folder_as_it_was_is_divided_the_same_and_nothing_is_told(root: Path) -> None:
    file, then = fitted(root)
    data = opened(root, file)
    assert listed(data) == then == listed(opened(root, None))
    assert data.notices == []
    assert [len(then[split]) for split in SPLITS] == [24, 8, 8]
    # another fraction, another seed: the run stays divided as it was
    assert listed(opened(root, file, fractions=0.4)) == then


def test_images_that_are_added_move_no_other(root: Path) -> None:
    file, then = fitted(root)
    for count in range(50):
        photo(1000 + count, (20, 20)).save(root / "cat" / f"new{count}.png")
    data = opened(root, file)
    now = listed(data)
    assert all(then[split] <= now[split] for split in SPLITS)
    assert all(len(now[split]) - len(then[split]) >= 3 for split in SPLITS)
    assert len(data.notices) == 1
    assert data.notices[0].startswith(f"splits as in {file}: 50 new images (")
    # without it, borders move: that is why it is kept
    assert not listed(opened(root, None))["test"].isdisjoint(then["train"])
    data.keep_division(file)
    assert listed(opened(root, file)) == now


def test_images_that_are_removed_move_no_other(root: Path) -> None:
    file, then = fitted(root)
    gone = sorted(then["train"])[:9]
    for path in gone:
        (root / path).unlink()
    data = opened(root, file)
    now = listed(data)
    assert now == {**then, "train": then["train"] - set(gone)}
    assert data.notices == [f"splits as in {file}: 9 images gone"]


def test_a_test_of_its_own_is_not_told_as_gone(root: Path) -> None:
    for name in ("cat", "dog"):
        (root / "train" / name).parent.mkdir(exist_ok=True)
        (root / name).rename(root / "train" / name)
        (root / "test" / name).mkdir(parents=True)
        for count in range(4):
            (root / "train" / name / f"{count}.png").rename(root / "test" / name / f"{count}.png")
    file, then = fitted(root)
    assert len(then["test"]) == 8
    assert sorted(path for path in then["val"] if "test" in path) == []
    data = opened(root, file)
    assert listed(data) == then
    assert "gone" not in " ".join(data.notices)
    (root / sorted(then["test"])[0]).unlink()
    data = opened(root, file)
    listed(data)
    assert f"splits as in {file}: 1 image gone" in data.notices


def test_images_that_are_renamed_are_known_by_content(root: Path) -> None:
    file, then = fitted(root)
    trained = content(root, then["train"])
    for path in sorted((root / "cat").iterdir()):
        path.rename(path.with_name(f"renamed-{path.name}"))
    data = opened(root, file)
    assert content(root, listed(data)["test"]).isdisjoint(trained)
    assert [len(paths) for paths in listed(data).values()] == [24, 8, 8]
    assert data.notices == [f"splits as in {file}: 20 images renamed or copied"]


def test_images_that_are_numbered_anew_are_known_by_content(root: Path) -> None:
    file, then = fitted(root)
    trained = content(root, then["train"])
    held = [path.read_bytes() for path in sorted((root / "dog").iterdir())]
    for path, data in zip(sorted((root / "dog").iterdir()), held[7:] + held[:7], strict=True):
        path.write_bytes(data)
    assert content(root, listed(opened(root, file))["test"]).isdisjoint(trained)


def test_copies_of_a_trained_image_are_not_scored(root: Path) -> None:
    file, then = fitted(root)
    trained = next(path for path in sorted(then["train"]) if path.startswith("cat"))
    for count in range(10):
        (root / "dog" / f"q{count}.png").write_bytes((root / trained).read_bytes())
    assert listed(opened(root, file))["test"] == then["test"]


def test_folders_moved_to_another_system_keep_their_letters(root: Path) -> None:
    (root / "cat" / "0.png").rename(root / "cat" / "e\u0301te\u0301.png")
    file, then = fitted(root)
    where = next(split for split in SPLITS if "cat/e\u0301te\u0301.png" in then[split])
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(root / "cat" / "e\u0301te\u0301.png")
    (root / "cat" / "e\u0301te\u0301.png").rename(root / "cat" / "\u00e9t\u00e9.png")
    assert "cat/\u00e9t\u00e9.png" in listed(opened(root, file))[where]


def test_a_val_folder_that_is_removed_leaves_no_trained_image_in_test(root: Path) -> None:
    split_root = root.parent / "s"
    split_root.mkdir()
    root.rename(split_root / "train")
    for name in ("cat", "dog"):
        (split_root / "val" / name).mkdir(parents=True)
        photo(hash(name) % 1000 + 5000, (20, 20)).save(split_root / "val" / name / "v.png")
    file, then = fitted(split_root)
    assert len(then["train"]) == 40
    for path in then["val"]:
        (split_root / path).unlink()
    for name in ("cat", "dog"):
        (split_root / "val" / name).rmdir()
    (split_root / "val").rmdir()
    data = opened(split_root, file)
    assert set(data.listing("train").paths) == then["train"]
    with pytest.raises(DataError, match="no images for test"):
        data.listing("test")


def test_rows_of_a_table_keep_their_splits(root: Path) -> None:
    paths = sorted(str(path.relative_to(root)) for path in root.glob("*/*"))
    table = root / "t.csv"

    def write(rows: list[str]) -> None:
        table.write_text("path,label\n" + "".join(f"{path},{path.split('/')[0]}\n" for path in rows))

    def data(kept: Path | None) -> ManifestData:
        found = ManifestData(str(table), cache_dir=str(root.parent / "cache"))
        found.kept_division = kept
        return found

    write(paths[:30])
    first = data(None)
    first.setup("fit")
    file = root.parent / "splits.csv"
    first.keep_division(file)
    then = listed(first)
    write(paths)
    now = listed(data(file))
    assert all(then[split] <= now[split] for split in SPLITS)


def test_odd_names_are_read_again_as_they_are(root: Path) -> None:
    for name in ("a,b.png", 'quo"te.png', "line\nend.png", "line\rend.png", " lead.png", "=1+1.png"):
        photo(1, (20, 20)).save(root / "cat" / name)
    (root / "cat" / "1.png").rename(root / "cat" / os.fsdecode(b"\xff.png"))
    file, then = fitted(root)
    data = opened(root, file)
    assert listed(data) == then
    assert data.notices == []


@pytest.mark.parametrize("text", ["", "a,b\n", "path,split,digest\nx,train\n", "path,split,digest\nx,middle,\n"])
def test_a_damaged_division_is_one_line(text: str, root: Path) -> None:
    file = root.parent / "splits.csv"
    file.write_text(text)
    with pytest.raises(DataError, match=r"splits.csv: cannot be read as the division of a run \(.*\); restore it$"):
        opened(root, file).listing("test")


def test_a_run_without_one_is_divided_as_before(root: Path) -> None:
    assert listed(opened(root, root.parent / "gone" / "splits.csv")) == listed(opened(root, None))
