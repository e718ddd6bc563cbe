"""Packing writes the same bytes for the same pictures, goes on where it was killed, and never leaves half a shard."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from vitcli.errors import ConfigError, DataError
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.source.entries import Entry
from vitcli.images.source.open import open_source
from vitcli.images.source.shards import pack as packing
from vitcli.images.source.shards.pack import pack
from vitcli.images.source.shards.packed import NAME
from vitcli.images.source.shards.plan import Planned, keys_of, planned

FILES = {f"{'ab'[number % 2]}/{number}.jpg": f"picture {number} ".encode() * 300 for number in range(24)}
MOST = 30_000


def shards(files: dict[str, bytes] = FILES, most: int = MOST) -> list[Planned]:
    """The plan of some files, whose versions are their lengths."""
    entries = [Entry(path, len(content), len(content)) for path, content in files.items()]
    numbers = {path: "ab".index(path[0]) for path in files if path[0] in "ab"}
    return list(planned("", entries, keys_of(list(files)), numbers, most))


def here(folder: Path) -> dict[str, bytes]:
    """What lies in a folder, but for its index."""
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.suffix != ".npz"}


def test_the_same_pictures_make_the_same_bytes_and_each_is_in_one_shard(tmp_path: Path) -> None:
    for out in ("one", "two"):
        assert pack(shards(), tmp_path / out, FILES.__getitem__, ["a", "b"]) == len(shards()) > 3
    assert here(tmp_path / "one") == here(tmp_path / "two")
    source = open_source(str(tmp_path / "one"))
    assert {path: source.read(path) for path in source.files()[0].paths} == FILES
    assert all(len(of) <= MOST for name, of in here(tmp_path / "one").items() if name.endswith(".tar"))
    assert (tmp_path / "one" / "classes.txt").read_text() == "a\nb\n"
    told = json.loads((tmp_path / "one" / NAME).read_text())
    assert sum(of["images"] for of in told["shards"].values()) == len(FILES)


@pytest.mark.parametrize("killed_after", [1, 9, 17])
def test_packing_that_is_killed_leaves_whole_shards_and_goes_on(tmp_path: Path, killed_after: int) -> None:
    out, whole = tmp_path / "out", tmp_path / "whole"
    pack(shards(), whole, FILES.__getitem__, ["a", "b"])
    waits = tmp_path / "waits"

    def read(path: str) -> bytes:
        if list(FILES).index(path) >= killed_after:
            waits.touch()
            time.sleep(60)
        return FILES[path]

    if (child := os.fork()) == 0:
        try:
            pack(shards(), out, read, ["a", "b"])
        finally:
            os._exit(1)
    while not waits.exists():
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    left = here(out)
    # whole ones alone are seen, and nothing says that they are all
    assert {name: of for name, of in left.items() if name.endswith(".tar")}.items() <= here(whole).items()
    if any(name.endswith(".tar") for name in left):
        with pytest.raises(DataError, match="vitcli pack has not finished it; give the same command again"):
            open_source(str(out))
    stood = sum(name.endswith(".tar") and not name.startswith(".") for name in left)
    assert pack(shards(), out, FILES.__getitem__, ["a", "b"]) <= len(shards()) - max(0, stood - 1)
    assert here(out) == here(whole)


def test_only_what_changed_is_written_again_and_what_is_gone_is_removed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    pack(shards(), out, FILES.__getitem__, ["a", "b"])
    before = {file.name: file.stat().st_mtime_ns for file in out.glob("*")}
    assert pack(shards(), out, FILES.__getitem__, ["a", "b"]) == 0
    assert {file.name: file.stat().st_mtime_ns for file in out.glob("*")} == before
    fewer = dict(list(FILES.items())[:-8])
    changed = fewer | {"a/0.jpg": b"another picture "}
    assert pack(shards(changed), out, changed.__getitem__, ["a", "b"]) >= 1
    source = open_source(str(out))
    assert {path: source.read(path) for path in source.files()[0].paths} == changed
    assert {file.name for file in out.glob("*.tar")} == {shard.name for shard in shards(changed)}
    # a shard of which a part is missing
    last = shards(changed)[-1].name
    (out / last).write_bytes((out / last).read_bytes()[:-512])
    with pytest.raises(DataError, match=rf"{last} has [0-9,]+ bytes, and had [0-9,]+ when it was packed"):
        open_source(str(out))
    assert pack(shards(changed), out, changed.__getitem__, ["a", "b"]) == 1


def test_names_that_webdataset_would_cut_or_confuse_have_keys_of_their_own() -> None:
    paths = [
        "cat.0.jpg",
        "cat.1.jpg",
        "cat_1.png",
        "d/x.jpg",
        "d/x.png",
        "/abs/../y.jpg",
        "d.e/z.jpg",
        "plain",
    ]
    keys = keys_of(paths)
    assert keys == keys_of(paths[::-1])
    assert keys["d/x.jpg"] == "d/x"
    assert keys["d.e/z.jpg"] == "d.e/z"
    assert keys["cat_1.png"] == "cat_1"
    assert len(set(keys.values())) == len(paths)
    assert all(
        "." not in key.rpartition("/")[2] and not key.startswith("/") and ".." not in key for key in keys.values()
    )


def test_paths_that_are_no_keys_come_back_as_they_were(tmp_path: Path) -> None:
    jpeg = b"\xff\xd8\xff" + b"x" * 50
    files = {"cat.0.jpg": b"0", "cat.1.jpg": b"1", "d/x.jpg": b"2", "d/x.png": b"3", "no ending": jpeg}
    files |= {"d/\N{LATIN SMALL LETTER E WITH ACUTE}.jpg": b"4", f"{'long/' * 60}1.jpg": b"5", "b\udcff.jpg": b"6"}
    pack(shards(files), tmp_path / "out", files.__getitem__, [])
    source = open_source(str(tmp_path / "out"))
    assert {path: source.read(path) for path in source.files()[0].paths} == files
    # but for those that lead elsewhere, as a table may have them
    files = {"/data/1.jpg": b"1", "../2.jpg": b"2", "data/1.jpg": b"3"}
    pack(shards(files), tmp_path / "others", files.__getitem__, [])
    source = open_source(str(tmp_path / "others"))
    assert {path: source.read(path) for path in source.files()[0].paths} == {
        "data/1~2.jpg": b"1", "2.jpg": b"2", "data/1.jpg": b"3"
    }  # fmt: skip
    assert not (tmp_path / "out" / "classes.txt").exists()


def test_a_disk_that_is_too_small_is_noticed_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = shutil._ntuple_diskusage(2**40, 2**40, 2**28 + 50_000)  # type: ignore[attr-defined]
    monkeypatch.setattr(packing.shutil, "disk_usage", lambda _: free)
    with pytest.raises(ConfigError, match=r"GB are to be written, and 0.00 GB are free there"):
        pack(shards(), tmp_path / "out", FILES.__getitem__, ["a", "b"])
    assert not list((tmp_path / "out").glob("*.tar"))


def foreign(out: Path) -> None:
    out.mkdir()
    (out / "000000.tar").write_bytes(b"theirs")


def beside(out: Path) -> None:
    pack(shards(), out, FILES.__getitem__, ["a", "b"])
    (out / "more.tar").write_bytes(b"theirs")


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (foreign, "is not empty, and vitcli pack has not written it; name a new folder"),
        (beside, "holds more.tar too, which is none of its shards; move it away"),
    ],
)
def test_what_others_have_written_is_left_alone(tmp_path: Path, before: Callable[[Path], None], words: str) -> None:
    before(tmp_path / "out")
    held = here(tmp_path / "out")
    with pytest.raises(ConfigError, match=words):
        pack(shards(), tmp_path / "out", FILES.__getitem__, ["a", "b"])
    assert here(tmp_path / "out") == held


def test_two_processes_do_not_pack_into_one_folder(tmp_path: Path) -> None:
    out, reached = tmp_path / "out", tmp_path / "reached"

    def read(path: str) -> bytes:
        reached.touch()
        time.sleep(60)
        return FILES[path]

    if (child := os.fork()) == 0:
        pack(shards(), out, read, [])
        os._exit(0)
    while not reached.exists():
        time.sleep(0.01)
    try:
        with pytest.raises(ConfigError, match=rf"is written to by process {child} on .*; wait for it, or name another"):
            pack(shards(), out, FILES.__getitem__, [])
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_picture_that_cannot_be_read_is_named_and_so_is_one_that_is_none(tmp_path: Path) -> None:
    def read(path: str) -> bytes:
        if path == "a/4.jpg":
            raise UnreadableImage("no such file")
        return FILES[path]

    with pytest.raises(DataError, match=r"a/4.jpg cannot be read \(no such file\); repair it, or leave it out"):
        pack(shards(), tmp_path / "out", read, [])
    with pytest.raises(DataError, match=r"a/notes has no ending of a picture such as .jpg"):
        pack(shards({"a/notes": b"text"}), tmp_path / "other", {"a/notes": b"text"}.__getitem__, [])
