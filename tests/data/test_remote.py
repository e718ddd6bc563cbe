"""The same photos in a bucket give the same batches as on the disk, bit for bit, however they lie there."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bucket import Bucket, serving
from tests.conftest import picture_bytes
from tests.data.shown import AUGMENT, shown
from tests.images.source.shards.write import write_shard
from tests.images.source.tables.written import table, write_parquet
from vitcli.data import FolderData, ManifestData, ParquetData
from vitcli.errors import StoreError
from vitcli.images.source.remote.options import Remote
from vitcli.preprocess import Preprocess

pytest.importorskip("s3fs")
COUNT = 11


@pytest.fixture(scope="module")
def lying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bucket, Path]]:
    """A bucket with the same photos as a folder, a zip, a tar, shards, a table and Parquet, and the folder itself."""
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
    for number in range(3):
        members = {path: (bucket / "set" / path).read_bytes() for path in paths[number::3]}
        write_shard(bucket / "shards" / f"{number:03d}.tar", members)
    for name, start in (("set/table.csv", ""), ("tables/addresses.csv", "s3://photos/set/")):
        (bucket / name).parent.mkdir(exist_ok=True)
        with (bucket / name).open("w", newline="") as opened:
            csv.writer(opened).writerows([("path", "label"), *((start + path, path.split("/")[0]) for path in paths)])
    photos = [bucket / "set" / path for path in paths]
    labels = [int(photo.parent.name == "dog") for photo in photos]
    rows = table(photos, labels, classes=("cat", "dog"), root=bucket / "set")
    write_parquet(bucket / "rows.parquet", rows, compression="none")
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


WHERE: dict[str, tuple[Callable[..., Any], str, dict[str, str]]] = {
    "folder": (FolderData, "s3://photos/set", {}),
    "zip": (FolderData, "s3://photos/zipped.zip", {}),
    "tar": (FolderData, "s3://photos/tarred.tar", {}),
    "shards": (FolderData, "s3://photos/shards", {}),
    "table": (ManifestData, "s3://photos/set/table.csv", {}),
    "table of addresses": (ManifestData, "s3://photos/tables/addresses.csv", {"folder": "s3://photos/set"}),
    "parquet": (ParquetData, "s3://photos/rows.parquet", {}),
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


@pytest.mark.slow
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
