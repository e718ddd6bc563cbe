"""A store is opened once in each process, whichever of its threads come first; forked workers read less for it."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.bucket import Bucket
from vitcli.images.source.open import open_source
from vitcli.images.source.remote import filesystem
from vitcli.images.source.remote.address import Address
from vitcli.images.source.remote.ahead import Ahead
from vitcli.images.source.remote.options import Remote

PHOTOS = Address.of("s3://photos")


@pytest.fixture(autouse=True)
def _nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filesystem, "HELD", {})


@pytest.mark.usefixtures("bucket")
def test_threads_that_begin_together_open_a_store_once(monkeypatch: pytest.MonkeyPatch, remote: Remote) -> None:
    really, made = filesystem._opened, []
    together = threading.Barrier(8)

    def slowly(address: Address, remote: Remote) -> Any:
        time.sleep(0.05)
        made.append(really(address, remote))
        return made[-1]

    def begin(_: int) -> Any:
        together.wait()
        return filesystem.opened(PHOTOS, remote)

    monkeypatch.setattr(filesystem, "_opened", slowly)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(begin, range(8)))
    assert len(made) == 1
    assert all(one is made[0] for one in found)


@pytest.mark.usefixtures("bucket")
def test_a_worker_opens_the_store_that_its_parent_was_opening_when_it_was_forked(
    monkeypatch: pytest.MonkeyPatch, remote: Remote
) -> None:
    really, begun, forked, parent = filesystem._opened, threading.Event(), threading.Event(), os.getpid()

    def slowly(address: Address, remote: Remote) -> Any:
        if os.getpid() == parent:
            begun.set()
            forked.wait()
        return really(address, remote)

    monkeypatch.setattr(filesystem, "_opened", slowly)
    opening = threading.Thread(target=filesystem.opened, args=(PHOTOS, remote))
    opening.start()
    begun.wait()
    worker = os.fork()
    if not worker:
        filesystem.opened(PHOTOS, remote)
        os._exit(7)
    forked.set()
    opening.join()
    assert os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) == 7


@pytest.mark.usefixtures("photos")
def test_what_is_opened_again_reads_no_description_of_a_service(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, remote: Remote
) -> None:
    loaders = pytest.importorskip("botocore.loaders")
    open_source("s3://photos/set", remote=remote).files()
    # as in a worker that is forked now
    filesystem.HELD.clear()
    read: list[str] = []
    really = loaders.JSONFileLoader.load_file

    def noted(self: Any, path: str) -> Any:
        read.append(path)
        return really(self, path)

    monkeypatch.setattr(loaders.JSONFileLoader, "load_file", noted)
    before = bucket.asked.total()
    open_source("s3://photos/set", remote=remote).files()
    assert bucket.asked.total() > before
    assert not read


@pytest.mark.usefixtures("photos")
def test_what_the_disk_keeps_is_not_fetched_ahead(monkeypatch: pytest.MonkeyPatch, remote: Remote) -> None:
    source = open_source("s3://photos/set", remote=remote)
    paths = list(source.files()[0].paths)
    source.read(paths[0])
    said: list[str] = []
    monkeypatch.setattr(Ahead, "want", lambda self, pieces: said.extend(piece.name for piece in pieces))
    source.ahead(paths)
    assert said == paths[1:]
