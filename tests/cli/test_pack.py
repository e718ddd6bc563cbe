"""``vitcli pack``: from any layout to shards that WebDataset reads, vitcli trains on, and vitcli check compares."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CPU, TINY, picture_bytes
from tests.data.shown import shown
from tests.images.source.shards.write import samples, write_shard
from tests.images.source.test_archive import write_tar, write_zip
from vitcli.__main__ import main
from vitcli.cli.verbs.pack import bytes_of
from vitcli.data.layouts.folder import FolderData
from vitcli.data.layouts.shards import ShardsData
from vitcli.errors import ConfigError
from vitcli.images.index.quarantine import write_quarantine
from vitcli.images.source.shards.packed import NAME
from vitcli.images.source.shards.table import Table
from vitcli.images.source.source import Folder
from vitcli.preprocess import Preprocess

PHOTOS = {
    f"{split}/{label}/{label}.{number}.{ending}": picture_bytes(100 * number + 10 * len(split) + place)
    for split, count in (("train", 6), ("val", 2))
    for place, label in enumerate(("cat", "dog"))
    for number in range(count)
    for ending in ("png",)
}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder divided into train and val, of photos whose names have dots."""
    for path, content in PHOTOS.items():
        (tmp_path / "photos" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / path).write_bytes(content)
    return tmp_path / "photos"


def tars(folder: Path) -> dict[str, bytes]:
    """The shards of a folder."""
    return {file.name: file.read_bytes() for file in sorted(folder.glob("*.tar"))}


def told(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of an error."""
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.slow
def test_a_folder_a_zip_and_a_tar_of_the_same_photos_make_the_same_shards_and_the_same_batches(
    photos: Path, tmp_path: Path
) -> None:
    write_zip(tmp_path / "photos.zip", PHOTOS)
    write_tar(tmp_path / "photos.tar", PHOTOS)
    for name in ("photos", "photos.zip", "photos.tar"):
        assert main(["pack", str(tmp_path / name), "--out", str(tmp_path / f"{name}-shards"), "--size=30kB"]) == 0
    shards = [tars(tmp_path / f"{name}-shards") for name in ("photos", "photos.zip", "photos.tar")]
    assert shards[0] == shards[1] == shards[2]
    assert {name.split("-")[0] for name in shards[0]} == {"train", "val"}
    options: dict[str, Any] = {"batch_size": 4, "preprocess": Preprocess(size=(8, 8)), "seed": 5}
    expected = shown(FolderData(str(photos), **options))
    assert len(expected) == 4
    assert shown(ShardsData(str(tmp_path / "photos-shards"), **options)) == expected
    # and again as shards
    assert shown(FolderData(str(tmp_path / "photos.tar"), **options)) == expected


def test_webdatasets_own_library_reads_what_is_packed(photos: Path, tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    out = tmp_path / "shards"
    assert main(["pack", str(photos), "--out", str(out), "--size=30kB"]) == 0
    names = (out / "classes.txt").read_text().split()
    read = {}
    for sample in webdataset.WebDataset(sorted(map(str, out.glob("*.tar"))), shardshuffle=False):
        path = json.loads(sample["json"])["vitcli_path"]
        assert path not in read
        read[path] = sample["png"]
        assert f"/{names[int(sample['cls'])]}/" in path
    assert read == PHOTOS


@pytest.mark.slow
def test_a_run_trains_on_shards_and_predicts_them(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "shards"
    assert main(["pack", str(photos), "--out", str(out)]) == 0
    words = ["--data=ShardsData", f"--data.root={out}", "--data.batch_size=4", "--run.name=packed", *TINY, *CPU]
    assert main(["fit", *words, "--trainer.max_epochs=1"]) == 0
    rows = {}
    for name, root in (("shards", out), ("folder", photos)):
        table = tmp_path / f"{name}.csv"
        chosen = ["--data=UnlabelledData", f"--data.root={root}", f"--predictions.path={table}"]
        assert main(["predict", "--ckpt_path=runs/packed", *chosen, "--trainer.accelerator=cpu"]) == 0
        rows[name] = table.read_text()
    assert rows["shards"] == rows["folder"]
    assert rows["shards"].count("\n") == len(PHOTOS) + 1


def test_check_compares_the_checksums(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "shards"
    assert main(["pack", str(photos), "--out", str(out)]) == 0
    assert main(["check", str(out)]) == 0
    capsys.readouterr()
    content = bytearray((out / "val-000000.tar").read_bytes())
    # in the last block of the first picture, where its decoder may not look
    content[len(content) // 2] ^= 1
    (out / "val-000000.tar").write_bytes(content)
    assert main(["check", str(out)]) == 3
    assert "changed since packing" in (said := capsys.readouterr().out)
    assert "1 shard, such as val-000000.tar: its SHA-256 is no longer" in said
    (out / "val-000000.tar").unlink()
    assert main(["check", str(out)]) == 2
    assert "val-000000.tar is missing, of 2 that were packed" in told(capsys)


def test_every_setting_that_says_what_is_packed_does_so(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    write_photos: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")

    def packed(root: str, *words: str) -> set[str]:
        """Split and class of each picture."""
        beside = tmp_path_factory.mktemp("beside")
        out = beside / "shards"
        assert main(["pack", str(tmp_path / root), "--out", str(out), *words]) == 0
        names = (out / "classes.txt").read_text().split()
        found = set()
        for file in out.glob("*.tar"):
            table = ShardsData(str(file)).source.table
            labels = [names[int(table.words[code])] for code in table.codes[0]]
            found |= {
                f"{file.name[:-10].strip('-')}:{path}={label}" for path, label in zip(table.paths, labels, strict=True)
            }
        return found

    write_photos("a/x/c1.png", "a/y/d1.png", "b/x/c2.png", "b/x/d2.png")
    assert packed("a") == {":x/c1.png=x", ":y/d1.png=y"}
    assert packed(".", "--data.class_levels=2", "--data.splits={}") == {
        ":a/x/c1.png=a/x", ":a/y/d1.png=a/y", ":b/x/c2.png=b/x", ":b/x/d2.png=b/x"
    }  # fmt: skip
    assert packed("b", "--data=FolderData", "--data.label_pattern=(c|d)[0-9]") == {":x/c2.png=c", ":x/d2.png=d"}
    assert packed(".", "--data.splits={train: a, val: b}") == {
        "train:a/x/c1.png=x", "train:a/y/d1.png=y", "val:b/x/c2.png=x", "val:b/x/d2.png=x"
    }  # fmt: skip
    write_quarantine(str(tmp_path / "leave.txt"), {"y/d1.png": "torn"})
    assert packed("a", f"--data.quarantine={tmp_path / 'leave.txt'}") == {":x/c1.png=x"}
    (tmp_path / "a" / "y" / "e.png").symlink_to(tmp_path / "b" / "x" / "c2.png")
    assert packed("a", "--data.follow_links=true") == {":x/c1.png=x", ":y/d1.png=y", ":y/e.png=y"}
    (tmp_path / "t.csv").write_text("file,kind,part\nx/c2.png,c,train\nx/d2.png,d,val\n")
    named = ["--data.path_column=file", "--data.label_column=kind", "--data.split_column=part"]
    folder = f"--data.folder={tmp_path / 'b'}"
    assert packed("t.csv", folder, *named) == {"train:x/c2.png=c", "val:x/d2.png=d"}
    rows = {"seen": [picture_bytes(0), picture_bytes(1)], "also": [b"x", b"y"], "label": ["c", "d"]}
    parquet.write_table(pyarrow.table(rows), tmp_path / "r.parquet")
    found = packed("r.parquet", "--data=ParquetData", "--data.image_column=seen", "--data.label_column=label")
    assert sorted(one.rpartition("=")[2] for one in found) == ["c", "d"]
    write_shard(tmp_path / "s" / "0.tar", samples(2) | {f"{n:06d}.json": b'{"kind": "k%d"}' % n for n in range(2)})
    assert packed("s", "--data=ShardsData", "--data.labels=json", "--data.label_field=kind") == {
        ":000000.jpg=k0", ":000001.jpg=k1"
    }  # fmt: skip
    # the index of shards that it cannot be kept beside
    save = Table.save

    def refused(table: Table, file: Path, field: str) -> None:
        if file.parent.name == "s":
            raise PermissionError(13, "Permission denied")
        save(table, file, field)

    monkeypatch.setattr(Table, "save", refused)
    for file in (tmp_path / "s").glob("*.npz"):
        file.unlink()
    assert packed("s", "--data=ShardsData", "--data.labels=cls", f"--data.cache_dir={tmp_path / 'kept'}")
    assert list((tmp_path / "kept").glob("shards-*.npz"))


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["photos"], "--out is missing: name the folder of the shards"),
        (["photos", "--out=o", "--size=huge"], "--size huge: is no size of at least 10 kB; give one such as 256MB"),
        (["photos", "--out=photos"], "--out photos: lies in data.root photos; name a folder beside it"),
        (["photos", "--out=photos/cat/a"], "--out photos/cat/a: lies in data.root photos; name a folder beside it"),
        (["photos", "--out=a_file"], "--out a_file: a_file is a file, and no folder; name another"),
        (["photos", "--out=a_file/o"], "is a file, and no folder; name another"),
        (["photos", "--out=."], "--out .: is not empty, and vitcli pack has not written it"),
        (["photos", "--out=s3://b/o"], "--out s3://b/o: is no folder on a disk; pack there, and copy it with"),
        (["--out=o"], "ROOT is missing: name a folder of images"),
        (["photos", "--out=o", "--data.folds=3"], "pack keeps the splits that lie there"),
        (["photos", "--out=o", "--data.augment.flip=0"], "pack copies the bytes of every image"),
        (["photos", "--out=o", "--data.group_pattern=x"], "shards hold pictures and labels, and no groups"),
        (["empty", "--out=o"], "data.root empty: no"),
        (["photos", "--out=o", "--data=ShapesData"], "data.root: not a setting of ShapesData"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    photos: Path, words: list[str], error: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(photos.parent)
    Path("empty").mkdir()
    Path("a_file").write_text("mine")
    assert main(["pack", *words]) == 2
    assert Path("a_file").read_text() == "mine"
    assert error in told(capsys)
    assert not list(photos.parent.rglob("*.tar"))
    assert not list(photos.parent.rglob(NAME))


def test_a_folder_that_is_removed_meanwhile_is_told(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(photos.parent)
    read = Folder.read

    def read_and_remove(folder: Folder, path: str) -> bytes:
        shutil.rmtree("o", ignore_errors=True)
        return read(folder, path)

    monkeypatch.setattr(Folder, "read", read_and_remove)
    assert main(["pack", "photos", "--out=o"]) == 2
    assert "--out o: is gone, removed while it was written to; start again" in told(capsys)


def test_class_folders_that_are_links_are_classes_where_links_are_followed(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(photos.parent)
    Path("links").mkdir()
    for name in ("cat", "dog"):
        Path("links", name).symlink_to(photos / "train" / name)
    assert main(["pack", "links", "--out=o", "--data.follow_links=true"]) == 0
    assert Path("o/classes.txt").read_text() == "cat\ndog\n"
    assert main(["check", "links", "--data.follow_links", "true"]) in (0, 3)
    assert "cat" in capsys.readouterr().out


def test_sizes_are_in_powers_of_a_thousand() -> None:
    told = {"10000": 10_000, "256MB": 256_000_000, "1.5 gb": 1_500_000_000, "20k": 20_000}
    assert {text: bytes_of(text) for text in told} == told
    for text in ("", "5", "9kB", "MB", "-1MB", "1e9", "1PB", "1MiB"):
        with pytest.raises(ConfigError, match="is no size of at least 10 kB; give one such as 256MB"):
            bytes_of(text)


def test_a_class_keeps_its_photos_whatever_its_name_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("a\u2028b", "c\x85d", "cat", "dog")
    for number, name in enumerate(names[:1] + names[2:]):
        (tmp_path / "photos" / name).mkdir(parents=True)
        (tmp_path / "photos" / name / f"{name[-3:]}.png").write_bytes(picture_bytes(number))
    assert main(["pack", str(tmp_path / "photos"), "--out", str(tmp_path / "s")]) == 0
    data = ShardsData(str(tmp_path / "s"), val_fraction=0, test_fraction=0)
    listing = data.listing("train")
    assert data.classes == ("a\u2028b", "cat", "dog")
    for path, label in zip(listing.paths, listing.labels.tolist(), strict=True):
        assert data.classes[label] in path
    capsys.readouterr()
    (tmp_path / "photos" / "dog").rename(tmp_path / "photos" / names[1])
    assert main(["pack", str(tmp_path / "photos"), "--out", str(tmp_path / "t")]) == 2
    assert "holds control characters; rename it" in told(capsys)
    assert not (tmp_path / "t").exists()
