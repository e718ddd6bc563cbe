"""Tables in a bucket and on the hub give the batches of the same tables on a disk."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.bucket import serving
from tests.conftest import picture_bytes
from tests.data.layouts.test_parquet import data_of
from tests.data.shown import shown
from tests.images.source.remote import test_other_stores as hub
from tests.images.source.tables.written import table, write_arrow, write_parquet
from vitcli.data import ParquetData
from vitcli.errors import DataError
from vitcli.images.source.remote.options import Remote

CLASSES = ("cat", "owl")


def rows(folder: Path, first: int, count: int) -> Any:
    files = [folder / f"{number}.jpg" for number in range(first, first + count)]
    for number, file in enumerate(files, first):
        file.write_bytes(picture_bytes(number, "JPEG"))
    return table(files, [number % 2 for number in range(count)], classes=CLASSES)


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A bucket ``sets``: Parquet as it is, Parquet that is compressed, and Arrow."""
    root, made = tmp_path / "store" / "sets" / "photos", tmp_path / "made"
    made.mkdir()
    write_parquet(root / "train-00000-of-00002.parquet", rows(made, 0, 8), compression="none", use_dictionary=False)
    write_parquet(root / "train-00001-of-00002.parquet", rows(made, 8, 6), compression="snappy")
    write_arrow(root / "validation-00000-of-00001.arrow", rows(made, 14, 4))
    return root


@pytest.mark.slow
def test_tables_in_a_bucket_give_the_same_batches(
    tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("s3fs")
    expected = shown(data_of(ParquetData, tables))
    assert sum(len(batch.labels) for batch in expected) == 18
    with serving(tmp_path / "store") as bucket:
        for name, value in bucket.environment().items():
            monkeypatch.setenv(name, value)
        for cache_gb in (1.0, 0.0):
            far = {
                "remote": Remote(cache_gb=cache_gb, cache_dir=str(tmp_path / "far")),
                "cache_dir": str(tmp_path / "own"),
            }
            assert shown(far_data("s3://sets/photos", far)) == expected
        one = far_data("s3://sets/photos/train-00000-of-00002.parquet", far | {"val_fraction": 0.5})
        there = data_of(ParquetData, tables / "train-00000-of-00002.parquet", val_fraction=0.5)
        assert shown(one) == shown(there)


def far_data(root: str, options: dict[str, Any]) -> Any:
    return data_of(lambda _, **given: ParquetData(root, **given | options), Path())


class Hub(hub.Store):
    """The hub, where a data set of pictures is kept as Parquet in a revision of its own, as the hub does by itself."""

    files: dict[str, dict[str, bytes]]

    def _hub(self, path: str) -> None:
        converted = "convert%2Fparquet" in path or "convert/parquet" in path
        hub.FILES.clear()
        hub.FILES.update(self.files["converted" if converted else "main"])
        if converted:
            path = path.replace("refs/convert/parquet", "refs%2Fconvert%2Fparquet")
        super()._hub(path)


@pytest.fixture
def url(tables: Path) -> Iterator[str]:
    held = {
        "main": {"README.md": b"about", "pictures/0.jpg": b"x"},
        "converted": {f"default/train/000{number}.parquet": file.read_bytes()
                      for number, file in enumerate(sorted(tables.glob("train-*")))},
    }  # fmt: skip
    handler = type("Bound", (Hub,), {"files": held})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_data_set_of_the_hub_is_read_from_the_parquet_that_the_hub_makes_of_it(
    tables: Path, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "FILES", dict(hub.FILES))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    far = {"remote": Remote(cache_dir=str(tmp_path / "far"), retries=1, timeout_seconds=5)}
    far["cache_dir"] = str(tmp_path / "own")  # type: ignore[assignment]
    data = far_data("hf://datasets/me/photos", far)
    assert data.find_classes() == CLASSES
    copied = tmp_path / "copied" / "default" / "train"
    copied.mkdir(parents=True)
    for number, file in enumerate(sorted(tables.glob("train-*"))):
        shutil.copy(file, copied / f"000{number}.parquet")
    local = data_of(ParquetData, tmp_path / "copied")
    assert shown(data) == shown(local)
    with pytest.raises(DataError, match=r"^data.root hf://datasets/me/none: no such bucket, folder or object"):
        far_data("hf://datasets/me/none", far).find_classes()
