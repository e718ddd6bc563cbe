"""Zips, tars and shards in a store: members as on the disk, by ranges, and with few requests."""

from __future__ import annotations

import tarfile
import zipfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.bucket import Bucket
from tests.images.source.remote.conftest import until
from tests.images.source.test_archive import write_tar
from vitcli.errors import DataError
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.source.archive import Archive
from vitcli.images.source.open import open_source
from vitcli.images.source.remote import ranges
from vitcli.images.source.remote.options import Remote

MEMBERS = {f"{'ab'[number % 2]}/{number} ü.jpg": bytes([number]) * (700 + number) for number in range(40)}


def pack(file: Path, packed: int = zipfile.ZIP_STORED) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".zip":
        with zipfile.ZipFile(file, "w", packed) as archive:
            for name, content in MEMBERS.items():
                archive.writestr(name, content)
    else:
        write_tar(file, MEMBERS)


def opened(root: str, remote: Remote, kept: Path | None = None) -> Archive:
    """An archive in a store, for which nothing is being fetched ahead any more."""
    source = open_source(root, kept=kept, remote=remote)
    assert isinstance(source, Archive)
    assert source.far is not None
    fetcher = source.far.ranges._fetcher()  # type: ignore[attr-defined]
    until(lambda: not fetcher._waiting and all(begun.done.is_set() for begun in fetcher._begun.values()))
    return source


@pytest.mark.parametrize("scheme", ["s3", "web"])
@pytest.mark.parametrize("ending", [".zip", ".tar"])
def test_an_archive_in_a_store_has_the_members_that_it_has_on_the_disk(
    bucket: Bucket, remote: Remote, ending: str, scheme: str
) -> None:
    file = bucket.root / "packs" / f"photos{ending}"
    pack(file, zipfile.ZIP_DEFLATED)
    root = f"s3://packs/photos{ending}" if scheme == "s3" else f"{bucket.url}/packs/photos{ending}?download=1"
    there, here = open_source(root, remote=remote), open_source(str(file))
    assert there.folders() == here.folders()
    # the version of a tar's members is the tar's own too
    same = slice(None) if ending == ".zip" else slice(2)
    assert [entry[same] for entry in there.files()[0]] == [entry[same] for entry in here.files()[0]]
    assert {path: there.read(path) for path in MEMBERS} == MEMBERS
    with pytest.raises(UnreadableImage, match="no such file"):
        there.read("c.jpg")


def test_an_archive_that_fits_into_the_cache_is_asked_for_once_in_blocks(bucket: Bucket, remote: Remote) -> None:
    pack(bucket.root / "packs" / "photos.zip")
    for _ in range(2):
        source = open_source("s3://packs/photos.zip", remote=remote)
        assert {path: source.read(path) for path in MEMBERS} == MEMBERS
    assert bucket.objects == 1


@pytest.mark.parametrize("ending", [".zip", ".tar"])
def test_of_an_archive_that_does_not_fit_no_more_is_fetched_than_is_read(
    bucket: Bucket, remote: Remote, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = bucket.root / "packs" / f"photos{ending}"
    pack(file)
    monkeypatch.setattr(ranges.RemoteRanges, "block_bytes", 4096)
    source = opened(f"s3://packs/photos{ending}", replace(remote, cache_gb=2e-6))
    before = bucket.sent_bytes
    assert source.read("a/4 ü.jpg") == MEMBERS["a/4 ü.jpg"]
    assert len(MEMBERS["a/4 ü.jpg"]) <= bucket.sent_bytes - before <= len(MEMBERS["a/4 ü.jpg"]) + 60


def test_a_tar_is_gone_through_once_and_again_when_it_is_another(
    bucket: Bucket, remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, kept = bucket.root / "packs" / "photos.tar", tmp_path / "kept"
    pack(file)
    size = file.stat().st_size
    with tarfile.open(file, "a") as archive:
        link = tarfile.TarInfo("a/link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "b.jpg"
        archive.addfile(link)
    assert file.stat().st_size == size
    monkeypatch.setattr(ranges.RemoteRanges, "block_bytes", 4096)
    # nothing of it is kept but what is known of it
    open_it = partial(opened, "s3://packs/photos.tar", replace(remote, cache_gb=0), kept)
    first = open_it()
    asked = bucket.objects
    assert asked > 5
    again = open_it()
    assert bucket.objects == asked
    assert list(again.files()[0]) == list(first.files()[0])
    assert again.files()[1] == first.files()[1] == {"link": 1}
    assert {path: again.read(path) for path in MEMBERS} == MEMBERS
    # of the same size, so that its checksum alone tells
    write_tar(file, {name.replace("a/4 ", "a/5 "): content for name, content in MEMBERS.items()})
    assert "a/5 ü.jpg" in open_it().members
    # what is kept is damaged: gone through again
    [table] = kept.glob("tar-*.npz")
    whole = table.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], whole.replace(b"a/5 ", b"../ ")):
        table.write_bytes(damaged)
        asked = bucket.objects
        assert "a/5 ü.jpg" in open_it().members
        assert bucket.objects > asked


def test_a_server_without_ranges_sends_an_archive_twice_and_then_it_is_kept(
    bucket: Bucket, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(bucket.root / "packs" / "photos.tar")
    bucket.has_ranges = False
    monkeypatch.setattr(ranges, "BLOCK_BYTES", 4096)
    source = open_source(f"{bucket.url}/packs/photos.tar", remote=remote)
    assert {path: source.read(path) for path in MEMBERS} == MEMBERS
    assert bucket.objects == 2


def test_a_damaged_archive_and_a_compressed_tar_are_one_line(bucket: Bucket, remote: Remote) -> None:
    (bucket.root / "packs").mkdir()
    for ending in (".zip", ".tar"):
        (bucket.root / "packs" / f"photos{ending}").write_bytes(b"no archive at all" * 99)
        with pytest.raises(DataError, match="is damaged or no archive"):
            open_source(f"s3://packs/photos{ending}", remote=remote)


def test_a_member_that_was_damaged_is_an_unreadable_image(bucket: Bucket, remote: Remote) -> None:
    file = bucket.root / "packs" / "photos.zip"
    pack(file)
    content = bytearray(file.read_bytes())
    content[content.index(MEMBERS["b/7 ü.jpg"]) + 50] ^= 255
    file.write_bytes(content)
    source = open_source("s3://packs/photos.zip", remote=remote)
    with pytest.raises(UnreadableImage, match="damaged in the archive"):
        source.read("b/7 ü.jpg")
    assert source.read("a/8 ü.jpg") == MEMBERS["a/8 ü.jpg"]


@pytest.mark.parametrize("root", ["s3://packs/shards", "s3://packs/shards/{000..001}.tar", "s3://packs/shards/*.tar"])
def test_a_folder_of_tars_and_a_pattern_are_shards(bucket: Bucket, remote: Remote, tmp_path: Path, root: str) -> None:
    for number in range(2):
        file = bucket.root / "packs" / "shards" / f"00{number}.tar"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_tar(file, dict(list(MEMBERS.items())[20 * number : 20 * number + 20]))
    for _ in range(2):
        source = open_source(root, kept=tmp_path / "kept", remote=remote)
        assert {path: source.read(path) for path in source.files()[0].paths} == MEMBERS
    assert bucket.objects == 2
