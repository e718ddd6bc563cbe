"""Pictures in shards are read by their names, from an index that is built once and never stale."""

from __future__ import annotations

import os
import pickle
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.images.source.shards.write import samples, write_shard
from vitcli.errors import DataError
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.index.index import Index
from vitcli.images.source.entries import Entry
from vitcli.images.source.open import open_source
from vitcli.images.source.ranges import FileRanges
from vitcli.images.source.several import Several
from vitcli.images.source.shards import index as shards_index
from vitcli.images.source.shards.index import STEM
from vitcli.images.source.shards.shards import Shards
from vitcli.images.source.shards.table import Table

KEPT = f"{STEM}.npz"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three shards of four samples."""
    for number in range(3):
        write_shard(tmp_path / "set" / f"{number:06d}.tar", samples(4, start=4 * number))
    return tmp_path / "set"


def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The shards that are gone through from now on."""
    seen: list[str] = []
    look = shards_index.look
    monkeypatch.setattr(shards_index, "look", lambda *told: seen.append(told[1].path) or look(*told))  # type: ignore[func-returns-value]
    return seen


def test_every_picture_is_read_whatever_thread_or_process_asks(root: Path) -> None:
    source = open_source(str(root))
    assert isinstance(source, Shards)
    expected = {name: content for name, content in samples(12).items() if name.endswith(".jpg")}
    assert list(source.files()[0].paths) == list(expected)
    copy = pickle.loads(pickle.dumps(source))
    with ThreadPoolExecutor(8) as pool:
        assert dict(zip(expected, pool.map(copy.read, expected), strict=True)) == expected
    if (child := os.fork()) == 0:
        os._exit(0 if {name: source.read(name) for name in expected} == expected else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert source.file("000001.jpg") is None
    for name in ("000001.cls", "nothing.jpg", ""):
        with pytest.raises(UnreadableImage, match="no such file in the shards"):
            source.read(name)


def test_folders_and_files_are_those_of_the_names(tmp_path: Path) -> None:
    names = ["train/cat/1.jpg", "train/cat/2.jpg", "train/.hidden/3.jpg", "val/dog/1.jpg", "x.jpg", "train/dog/._4.jpg"]
    write_shard(tmp_path / "a" / "0.tar", dict.fromkeys([*names, "train/cat/notes.pdf"], b"x"))
    source = open_source(str(tmp_path / "a"))
    assert (source.folders(), source.folders("train")) == (["train", "val"], ["cat"])
    found, left_out = source.files("train")
    assert [entry.path for entry in found] == names[:2]
    assert left_out == {"hidden or system folder": 1, "hidden file": 1, "no image by its extension '.pdf'": 1}
    assert [entry.path for entry in source.files("", deep=False)[0]] == ["x.jpg"]
    assert len(source.files("", ())[0]) == 0


def test_the_index_is_built_once_and_a_shard_that_changed_is_gone_through_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = looked_at(monkeypatch)
    before = open_source(str(root)).files()[0]
    assert (len(seen), (root / KEPT).is_file()) == (3, True)
    seen.clear()
    assert list(open_source(str(root)).files()[0]) == list(before)
    assert not seen
    write_shard(root / "000001.tar", samples(4, start=20), time=5)
    write_shard(root / "000003.tar", samples(1, start=30))
    (root / "000000.tar").unlink()
    source = open_source(str(root))
    assert sorted(seen) == ["000001.tar", "000003.tar"]
    assert list(source.files()[0].paths) == [f"{n:06d}.jpg" for n in (20, 21, 22, 23, 8, 9, 10, 11, 30)]
    assert source.read("000022.jpg") == samples(1, start=22)["000022.jpg"]


def test_shards_whose_store_tells_no_version_are_gone_through_each_time(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = looked_at(monkeypatch)
    files = sorted(root.glob("*.tar"))
    entries = [Entry(file.name, file.stat().st_size, version) for file, version in zip(files, (0, 7, 8), strict=True)]
    for _ in range(2):
        shards_index.indexed(FileRanges(str(root)), entries, "", tmp_path / "kept")
    assert sorted(seen) == sorted([*(file.name for file in files), files[0].name])


def test_a_picture_in_a_shard_that_changed_has_another_version(root: Path) -> None:
    before = {entry.path: entry.version for entry in open_source(str(root)).files()[0]}
    assert len(set(before.values())) == 12
    os.utime(root / "000001.tar", ns=(1, 1))
    after = {entry.path: entry.version for entry in open_source(str(root)).files()[0]}
    assert {path for path in before if before[path] != after[path]} == {f"{n:06d}.jpg" for n in (4, 5, 6, 7)}
    assert all(0 <= version < 2**63 for version in after.values())


@pytest.mark.parametrize("damage", ["cut", "flipped", "another version", "empty", "of another program"])
def test_an_index_that_is_damaged_or_of_another_version_is_built_anew(
    root: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = list(open_source(str(root)).files()[0])
    file = root / KEPT
    content = file.read_bytes()
    if damage == "another version":
        with monkeypatch.context() as patch:
            patch.setattr("vitcli.images.source.shards.table.LAYOUT", 99)
            file.unlink()
            open_source(str(root))
    else:
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]
        damaged = {"cut": content[:middle], "flipped": flipped, "empty": b"", "of another program": b"PK\3\4 no"}
        file.write_bytes(damaged[damage])
    assert list(open_source(str(root)).files()[0]) == expected
    assert Table.load(file, "") is not None


def test_where_nothing_can_be_written_beside_the_shards_the_index_is_in_the_cache(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = Table.save

    def refused(table: Table, file: Path, field: str) -> None:
        if file.parent == root:
            raise PermissionError(13, "Permission denied")
        save(table, file, field)

    # root may write anywhere
    monkeypatch.setattr(Table, "save", refused)
    seen = looked_at(monkeypatch)
    for _ in range(2):
        open_source(str(root), kept=tmp_path / "cache")
    assert len(seen) == 3
    assert [file.suffix for file in (tmp_path / "cache").iterdir()] == [".npz"]
    assert not (root / KEPT).exists()


def test_what_was_found_before_a_shard_that_is_damaged_is_kept(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "000002.tar").write_bytes(b"x" * 2000)
    with pytest.raises(DataError, match=r"000002.tar: it is no tar; replace it"):
        open_source(str(root))
    seen = looked_at(monkeypatch)
    write_shard(root / "000002.tar", samples(4, start=8))
    assert len(open_source(str(root)).files()[0]) == 12
    assert seen == ["000002.tar"]


def test_patterns_name_some_of_the_shards_and_share_their_index(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = looked_at(monkeypatch)
    assert len(open_source(f"{root}/{{000000..000001}}.tar").files()[0]) == 8
    assert len(open_source(f"{root}/00000[12].tar").files()[0]) == 8
    assert len(open_source(f"{root}/{{000002,000000}}.tar").files()[0]) == 8
    assert sorted(seen) == ["000000.tar", "000001.tar", "000002.tar"]
    with pytest.raises(DataError, match=r"000009.tar: no such file"):
        open_source(f"{root}/{{000000..000009..000009}}.tar".replace("..000009}", "}").replace("000000..", "000009,"))


def test_a_name_in_two_shards_stands_behind_the_name_of_its_shard(root: Path) -> None:
    write_shard(root / "more" / "9.tar", {"000005.jpg": b"another", "000099.jpg": b"x"})
    source = open_source(str(root))
    paths = list(source.files()[0].paths)
    assert [path for path in paths if "/" in path] == ["000001/000005.jpg", "more/9/000005.jpg"]
    assert source.read("more/9/000005.jpg") == b"another"
    assert source.read("000001/000005.jpg") == samples(1, start=5)["000005.jpg"]
    assert "000099.jpg" in paths


def test_a_shard_that_is_replaced_while_it_is_used_is_not_read_at_old_places(root: Path) -> None:
    source = open_source(str(root))
    write_shard(root / "new.tar", {"filler.jpg": b"z" * 5000} | samples(4, start=4)).rename(root / "000001.tar")
    # what was open is still the old file; a process that opens it anew is told
    assert source.read("000005.jpg") == samples(1, start=5)["000005.jpg"]
    with pytest.raises(UnreadableImage, match=r"000001.tar: was changed since it was listed"):
        pickle.loads(pickle.dumps(source)).read("000005.jpg")


def test_more_shards_than_a_process_has_file_handles_are_read_by_many_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vitcli.images.source.ranges.MOST_OPEN", 2)
    for number in range(12):
        write_shard(tmp_path / "set" / f"{number}.tar", samples(1, start=number))
    source = open_source(str(tmp_path / "set"))
    opened = set(os.listdir("/proc/self/fd"))
    start = threading.Barrier(8)

    def read(turn: int) -> bool:
        start.wait()
        order = [f"{(number * (turn + 1)) % 12:06d}.jpg" for number in range(12)] * 20
        return all(source.read(name) == samples(1, start=int(name[:6]))[name] for name in order)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(8)))
    assert len(set(os.listdir("/proc/self/fd")) - opened) <= 2 + 8


def test_shards_among_several_roots_are_read_under_their_folder(root: Path, tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(b"one")
    for name in (str(root), f"{root}/"):
        source = Several([name, str(tmp_path / "one.png")])
        paths = list(source.files()[0].paths)
        assert len(paths) == 13
        assert source.read(f"{root}/000005.jpg") == samples(1, start=5)["000005.jpg"]
        assert source.read(str(tmp_path / "one.png")) == b"one"


@pytest.mark.parametrize("place", ["1.jpg", "cat/1.jpg", "train/cat/1.jpg"])
def test_a_folder_with_pictures_of_its_own_is_no_shards(root: Path, place: str) -> None:
    (root / "empty").mkdir()
    (root / "notes.txt").touch()
    write_shard(root / "val" / "0.tar", samples(2, start=90))
    assert isinstance(open_source(str(root)), Shards)
    # what was unpacked from a tar often lies beside it
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    (root / place).touch()
    assert not isinstance(open_source(str(root)), Shards)


def test_a_path_that_vitcli_pack_has_kept_in_json_is_the_path(tmp_path: Path) -> None:
    members = {"cat_0.jpg": b"x", "cat_0.json": b'{"vitcli_path": "cats/cat.0.jpg"}', "b.jpg": b"y"}
    write_shard(tmp_path / "a" / "0.tar", members)
    assert list(open_source(str(tmp_path / "a")).files()[0].paths) == ["cats/cat.0.jpg", "b.jpg"]
    write_shard(tmp_path / "b" / "0.tar", {"c.jpg": b"x", "c.json": b'{"vitcli_path": "../../c.jpg"}'})
    with pytest.raises(DataError, match=r"'../../c.jpg' points outside of the archive"):
        open_source(str(tmp_path / "b"))


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"a.jpg": b"x", "../b.jpg": b"y"}, "'../b.jpg' points outside of the archive"),
        ({"/etc/b.jpg": b"y"}, "'/etc/b.jpg' points outside of the archive"),
        ({"a.jpg": b"x", "./a.jpg": b"y"}, "0.tar: it holds 'a.jpg' twice; replace it"),
        (None, "0.tar: it is compressed with gzip; unpack it"),
    ],
)
def test_a_shard_that_cannot_be_used_is_named_with_the_reason(
    tmp_path: Path, members: dict[str, bytes] | None, words: str
) -> None:
    if members is None:
        with tarfile.open(tmp_path / "0.tar", "w:gz") as opened:
            opened.addfile(tarfile.TarInfo("a.jpg"))
    else:
        write_shard(tmp_path / "0.tar", members)
    with pytest.raises(DataError) as caught:
        open_source(str(tmp_path))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_plain_tar_says_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "0.tar.gz").touch()
    with pytest.raises(DataError, match=r"no tar in it; 0.tar.gz is compressed; unpack them"):
        Shards(str(tmp_path))
    (tmp_path / "0.tar.gz").unlink()
    with pytest.raises(DataError, match=r"no tar in it; name a folder of tars, or a pattern such as"):
        Shards(str(tmp_path))


def test_members_too_large_for_a_picture_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vitcli.images.source.inner.MOST_BYTES", 500)
    write_shard(tmp_path / "0.tar", {"a.jpg": b"x" * 501, "b.jpg": b"x" * 500, "b.json": b" " * 300_000})
    found, left_out = open_source(str(tmp_path)).files()
    assert list(found.paths) == ["b.jpg"]
    assert left_out == {"larger than 0 MB": 1, ".json larger than 256 kB": 1}


def test_an_index_of_images_is_made_of_the_columns_as_of_entries(root: Path) -> None:
    entries = open_source(str(root)).files()[0]
    index = Index.of(entries)
    assert list(index.paths.take(index.order)) == sorted(entries.paths)
    assert index.columns["size"].tolist() == [entry.size for entry in entries]
