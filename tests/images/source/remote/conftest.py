"""What the tests of object stores share: a server on this machine, its environment, and short waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bucket import Bucket, serving
from vitcli.images.source.remote import store
from vitcli.images.source.remote.options import Remote

pytest.importorskip("s3fs")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    """One server for all tests: to open a store of another address takes its library a quarter of a second."""
    with serving(tmp_path_factory.mktemp("store")) as started:
        yield started


@pytest.fixture
def bucket(server: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A store whose buckets are the folders below ``tmp_path/store``."""
    root = tmp_path / "store"
    root.mkdir()
    monkeypatch.setattr(store, "FIRST_WAIT_SECONDS", 0.01)
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    server.begin(root)
    yield server
    server.faults.released.set()


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    """Few retries, and a cache of the test's own."""
    return Remote(cache_dir=str(tmp_path / "cache"), retries=3, timeout_seconds=5)


@pytest.fixture
def photos(bucket: Bucket) -> Path:
    """A bucket ``photos`` with files that are no pictures, as here only bytes count."""
    for number in range(8):
        file = bucket.root / "photos" / "set" / "ab"[number % 2] / f"{number} ü.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes([number]) * (1000 + number))
    return bucket.root / "photos"


def until(is_so: Callable[[], bool]) -> None:
    """Wait for what other threads bring about."""
    for _ in range(2000):
        if is_so():
            return
        time.sleep(0.005)
    raise AssertionError("never came to be")
