"""The same photos in a bucket give the same batches as on the disk, bit for bit, however they lie there."""

from __future__ import annotations

import csv
import hashlib
import io
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bucket import Bucket, serving
from tests.conftest import picture_bytes
from vitcli.data import FolderData, ManifestData
from vitcli.data.augment.augment import Augment
from vitcli.errors import StoreError
from vitcli.images.source.remote.options import Remote
from vitcli.preprocess import Preprocess

pytest.importorskip("s3fs")
AUGMENT = Augment(colour=0.3, erase=0.3, policy="trivial", flip_vertical=0.3)
COUNT = 11


@pytest.fixture(scope="module")
def lying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bucket, Path]]:
    """A bucket with the same photos as a folder, a zip, a tar, shards and a table, and the folder on the disk."""
    root = tmp_path_factory.mktemp("lying")
    bucket = root / "store" / "photos"
    for place, label in enumerate(("cat", "dog")):
        for number in range(COUNT):
            file = bucket / "set" / label / f"{number}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(picture_bytes(number + COUNT * place, "JPEG"))
    paths = sorted(path.relative_to(bucket / "set").as_posix() for path in (bucket / "set").rglob("*.jpg"))
    shutil.make_archive(str(bucket / "zipped"), "zip", bucket / "set")
    shutil.make_archive(str(bucket / "tarred"), "tar", bucket / "set")
    (bucket / "shards").mkdir()
    for number in range(3):
        with tarfile.open(bucket / "shards" / f"{number:03d}.tar", "w") as shard:
            for path in paths[number::3]:
                member = tarfile.TarInfo(path)
                member.size = (bucket / "set" / path).stat().st_size
                shard.addfile(member, io.BytesIO((bucket / "set" / path).read_bytes()))
    for name, start in (("set/table.csv", ""), ("tables/addresses.csv", "s3://photos/set/")):
        (bucket / name).parent.mkdir(exist_ok=True)
        with (bucket / name).open("w", newline="") as table:
            csv.writer(table).writerows([("path", "label"), *((start + path, path.split("/")[0]) for path in paths)])
    with serving(root / "store") as started, pytest.MonkeyPatch.context() as patch:
        for name, value in started.environment().items():
            patch.setenv(name, value)
        yield started, bucket / "set"


def made(layout: Callable[..., Any], root: str, kept: Path, workers: int = 0, **options: Any) -> Any:
    return layout(
        root,
        preprocess=Preprocess(size=(16, 16)),
        augment=AUGMENT,
        batch_size=4,
        num_workers=workers,
        cache_dir=str(kept / "kept"),
        **options,
    )


def shown(data: Any) -> list[str]:
    """A hash of each batch of an epoch of training and of val."""
    data.setup("fit")
    hashes = []
    for loader in (data.train_dataloader(), data.val_dataloader()):
        for batch in loader:
            content = (
                batch["image"].numpy().tobytes() + batch["label"].numpy().tobytes() + batch["index"].numpy().tobytes()
            )
            hashes.append(hashlib.sha256(content).hexdigest())
    data.teardown("")
    return hashes


WHERE: dict[str, tuple[Callable[..., Any], str, dict[str, str]]] = {
    "folder": (FolderData, "s3://photos/set", {}),
    "zip": (FolderData, "s3://photos/zipped.zip", {}),
    "tar": (FolderData, "s3://photos/tarred.tar", {}),
    "shards": (FolderData, "s3://photos/shards", {}),
    "table": (ManifestData, "s3://photos/set/table.csv", {}),
    "table of addresses": (ManifestData, "s3://photos/tables/addresses.csv", {"folder": "s3://photos/set"}),
    "web": (FolderData, "{url}/photos/set/", {}),
}


@pytest.mark.parametrize("where", WHERE)
def test_batches_are_those_of_the_folder_on_the_disk(
    lying: tuple[Bucket, Path], tmp_path: Path, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket, folder = lying
    layout, root, options = WHERE[where]
    expected = shown(made(FolderData, str(folder), tmp_path))
    assert len(expected) == 6
    remote = Remote(cache_dir=str(tmp_path / "cache"))
    assert shown(made(layout, root.format(url=bucket.url), tmp_path / "0", remote=remote, **options)) == expected
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "cache_gb", [pytest.param(1.0, marks=pytest.mark.slow), 0.0, pytest.param(2e-5, marks=pytest.mark.slow)]
)
def test_workers_and_the_size_of_the_cache_change_no_bit(
    lying: tuple[Bucket, Path], tmp_path: Path, cache_gb: float
) -> None:
    folder = lying[1]
    remote = Remote(cache_gb=cache_gb, cache_dir=str(tmp_path / "cache"))
    expected = shown(made(FolderData, str(folder), tmp_path))
    data = made(FolderData, "s3://photos/set", tmp_path / "2", workers=2, remote=remote)
    assert shown(data) == expected


def test_what_is_known_of_the_files_is_kept_and_an_epoch_reads_each_object_once(
    lying: tuple[Bucket, Path], tmp_path: Path
) -> None:
    bucket, _ = lying
    remote = Remote(cache_dir=str(tmp_path / "cache"))
    before = bucket.objects
    shown(made(FolderData, "s3://photos/set", tmp_path, remote=remote))
    assert bucket.objects - before == 2 * COUNT
    again = made(FolderData, "s3://photos/set", tmp_path, remote=Remote(cache_gb=0))
    again.setup("fit")
    assert bucket.objects - before == 2 * COUNT, "the facts of the files are kept by their versions"


def test_a_refusal_that_a_worker_meets_is_the_one_line_of_the_run(
    lying: tuple[Bucket, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, _ = lying
    data = made(FolderData, "s3://photos/set", tmp_path, workers=1, remote=Remote(cache_gb=0, retries=1))
    data.setup("fit")
    monkeypatch.setattr(bucket.faults, "denied", lambda number: True)
    with pytest.raises(StoreError) as refused:
        list(data.train_dataloader())
    data.teardown("")
    assert str(refused.value).startswith("data.root s3://photos/set: ")
    assert "access denied by the store" in str(refused.value)
    assert "\n" not in str(refused.value)
