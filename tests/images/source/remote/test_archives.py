"""Zips, tars and shards in a store: members as on the disk, by ranges, and with few requests."""

from __future__ import annotations

import io
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bucket import Bucket
from tests.images.source.remote.conftest import until
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
        source = file.parent.parent.parent / "members"
        with tarfile.open(file, "w") as archive:
            for name, content in MEMBERS.items():
                (source / name).parent.mkdir(parents=True, exist_ok=True)
                (source / name).write_bytes(content)
                archive.add(source / name, name)


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
    assert list(there.files()[0]) == list(here.files()[0])
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
    source = open_source(f"s3://packs/photos{ending}", remote=replace(remote, cache_gb=2e-6))
    assert isinstance(source, Archive)
    assert source.far is not None
    # what was fetched ahead of the tar's last header
    fetcher = source.far.ranges._fetcher()  # type: ignore[attr-defined]
    until(lambda: not fetcher._waiting and all(begun.done.is_set() for begun in fetcher._begun.values()))
    before = bucket.sent_bytes
    assert source.read("a/4 ü.jpg") == MEMBERS["a/4 ü.jpg"]
    assert len(MEMBERS["a/4 ü.jpg"]) <= bucket.sent_bytes - before <= len(MEMBERS["a/4 ü.jpg"]) + 60


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
        with tarfile.open(file, "w") as archive:
            for name in list(MEMBERS)[20 * number : 20 * number + 20]:
                member = tarfile.TarInfo(name)
                member.size = len(MEMBERS[name])
                archive.addfile(member, io.BytesIO(MEMBERS[name]))
    for _ in range(2):
        source = open_source(root, kept=tmp_path / "kept", remote=remote)
        assert {path: source.read(path) for path in source.files()[0].paths} == MEMBERS
    assert bucket.objects == 2
