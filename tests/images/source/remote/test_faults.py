"""A store that fails is asked again, with bounds; then it is one line. What is read is whole, or not at all."""

from __future__ import annotations

import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bucket import Bucket
from tests.images.source.shards.write import samples, write_shard
from vitcli.errors import DataError, StoreError
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.source.open import open_source
from vitcli.images.source.remote.options import Remote
from vitcli.images.source.source import Source


def opened(remote: Remote) -> Source:
    return open_source("s3://photos/set", remote=remote)


def all_bytes(source: Source) -> dict[str, bytes]:
    return {path: source.read(path) for path in source.files()[0].paths}


def on_disk(photos: Path) -> dict[str, bytes]:
    root = photos / "set"
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*.jpg")}


@pytest.mark.parametrize("fault", ["busy", "cut"])
def test_what_fails_now_and_then_is_asked_again_and_comes_whole(
    photos: Path, bucket: Bucket, remote: Remote, fault: str
) -> None:
    setattr(bucket.faults, fault, lambda number: number % 2 == 1)
    assert all_bytes(opened(remote)) == on_disk(photos)
    assert bucket.objects == 2 * len(on_disk(photos))


def test_a_request_that_stalls_is_given_up_and_made_again(photos: Path, bucket: Bucket, remote: Remote) -> None:
    bucket.faults.stalls = lambda number: number == 1
    assert all_bytes(opened(replace(remote, timeout_seconds=0.4))) == on_disk(photos)


@pytest.mark.parametrize(
    ("fault", "told", "requests"),
    [
        ("busy", "the store has failed", 4),
        ("cut", "the store has failed", 4),
        ("denied", "access denied by the store", 3),
    ],
)
def test_what_always_fails_is_one_line_after_as_many_requests_as_are_allowed(
    photos: Path, bucket: Bucket, remote: Remote, fault: str, told: str, requests: int
) -> None:
    source = opened(remote)
    first, second = sorted(on_disk(photos))[:2]
    source.read(first)
    setattr(bucket.faults, fault, lambda number: number > 1)
    with pytest.raises(StoreError) as failed:
        source.read(second)
    assert str(failed.value).startswith(f"data.root s3://photos/set: {second}: {told}")
    assert "\n" not in str(failed.value)
    assert "key-that-nothing-may-show" not in str(failed.value)
    assert bucket.objects == 1 + requests
    # what was read before needs no store
    assert source.read(first) == on_disk(photos)[first]


def test_an_object_that_is_gone_is_an_unreadable_image_as_on_a_disk(photos: Path, remote: Remote) -> None:
    source = opened(remote)
    path = sorted(on_disk(photos))[0]
    (photos / "set" / path).unlink()
    with pytest.raises(UnreadableImage, match="no such object in the store"):
        source.read(path)


def test_an_object_that_was_replaced_is_not_taken_for_the_one_that_was_listed(photos: Path, remote: Remote) -> None:
    source = opened(remote)
    path = sorted(on_disk(photos))[0]
    (photos / "set" / path).write_bytes(b"shorter")
    with pytest.raises(StoreError, match="was changed since it was listed; start again"):
        source.read(path)
    assert opened(remote).read(path) == b"shorter"


@pytest.mark.parametrize(
    ("root", "told"),
    [
        ("s3://nobody/set", "no such bucket, folder or object"),
        ("s3://photos/none", "no such bucket, folder or object"),
        ("s3://photos/none.zip", "no such bucket, folder or object"),
        ("s3://photos/none/*.tar", "no such bucket, folder or object"),
        ("s3://photos/set/*.tar", "matches nothing"),
        ("s3://photos/set/a/0 ü.jpg/", "is an object, not a folder"),
        ("s3://closed/set", "access denied by the store"),
    ],
)
@pytest.mark.usefixtures("photos")
def test_what_is_not_there_or_not_allowed_is_one_line(remote: Remote, root: str, told: str) -> None:
    with pytest.raises(DataError) as failed:
        open_source(root, remote=remote)
    assert str(failed.value).startswith(f"data.root {root}: {told}"), failed.value
    assert "\n" not in str(failed.value)


def test_a_file_that_need_not_be_there_may_be_denied(bucket: Bucket, remote: Remote) -> None:
    """As vitcli-pack.json beside shards: S3 says so of what is not there, where nothing may be listed."""
    folder = bucket.root / "packs" / "set"
    folder.mkdir(parents=True)
    write_shard(folder / "0.tar", samples(3))
    bucket.hides_missing = True
    source = open_source("s3://packs/set", remote=remote)
    assert [entry.path for entry in source.files()[0]] == ["000000.jpg", "000001.jpg", "000002.jpg"]


@pytest.mark.usefixtures("photos")
def test_a_server_that_cannot_be_reached_and_one_that_lists_nothing_are_one_line_each(
    bucket: Bucket, remote: Remote
) -> None:
    (bucket.root / "empty").mkdir()
    with pytest.raises(StoreError, match=r"the store has failed .*; check the network"):
        open_source("http://127.0.0.1:9/a.zip", remote=remote)
    with pytest.raises(StoreError, match="the server lists no files there; name an archive"):
        open_source(f"{bucket.url}/empty/", remote=remote)
    with pytest.raises(StoreError, match="the server there does not encrypt; write http:// if that is meant"):
        open_source(f"{bucket.url.replace('http', 'https')}/photos/a.zip", remote=remote)


def test_an_answer_that_is_cut_short_has_no_status_that_the_server_never_sent(
    photos: Path, bucket: Bucket, remote: Remote
) -> None:
    with zipfile.ZipFile(photos / "a.zip", "w") as archive:
        archive.write(photos / "set" / sorted(on_disk(photos))[0], "a/0.jpg")
    bucket.faults.cut = lambda _: True
    with pytest.raises(StoreError, match="the store has failed") as failed:
        open_source(f"{bucket.url}/photos/a.zip", remote=remote)
    assert "400" not in str(failed.value)


@pytest.mark.usefixtures("photos")
def test_without_credentials_it_is_said_which_variables_are_read(
    remote: Remote, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(StoreError, match=r"\(no credentials\); give it AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        opened(remote)


@pytest.mark.parametrize(("root", "package", "extra"), [("s3://a/b", "s3fs", "s3"), ("gs://a/b", "gcsfs", "gs")])
def test_what_is_not_installed_is_named_with_its_extra(
    remote: Remote, monkeypatch: pytest.MonkeyPatch, root: str, package: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DataError, match=rf"{package}.* is not installed; pip install 'vitcli\[{extra}\]'"):
        open_source(root, remote=remote)


def test_paths_order_and_versions_are_those_of_the_objects(photos: Path, bucket: Bucket, remote: Remote) -> None:
    entries = opened(remote).files()[0]
    assert sorted(entries.paths) == sorted(on_disk(photos))
    again = opened(remote).files()[0]
    assert list(again.versions) == list(entries.versions)
    assert bucket.objects == 0, "objects were read to know their versions"
    touched = photos / "set" / sorted(on_disk(photos))[3]
    touched.write_bytes(touched.read_bytes()[::-1] + b"x")
    changed = dict(zip(opened(remote).files()[0].paths, opened(remote).files()[0].versions, strict=True))
    before = dict(zip(entries.paths, entries.versions, strict=True))
    assert [path for path in before if before[path] != changed[path]] == [
        touched.relative_to(photos / "set").as_posix()
    ]


def test_a_folder_of_a_web_server_is_read_as_it_lists_it(photos: Path, bucket: Bucket, remote: Remote) -> None:
    source = open_source(f"{bucket.url}/photos/set/", remote=remote)
    assert source.folders() == ["a", "b"]
    assert all_bytes(source) == on_disk(photos)
