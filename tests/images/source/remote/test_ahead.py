"""Read-ahead: what is said to be wanted is there when it is, in bounds, and a failure belongs to whoever asks."""

from __future__ import annotations

import threading
import time

import pytest

from tests.bucket import Bucket
from tests.images.source.remote.conftest import until
from vitcli.images.source.open import open_source
from vitcli.images.source.remote.ahead import Ahead
from vitcli.images.source.remote.options import Remote


@pytest.mark.usefixtures("photos")
def test_what_was_said_ahead_is_there_without_another_request(bucket: Bucket, remote: Remote) -> None:
    for cache_gb in (1.0, 0.0):
        source = open_source("s3://photos/set", remote=Remote(cache_gb=cache_gb, cache_dir=remote.cache_dir))
        paths = list(source.files()[0].paths)
        before = bucket.objects
        source.ahead(paths)
        until(lambda before=before, paths=paths: bucket.objects == before + len(paths))
        for path in paths:
            assert len(source.read(path)) >= 1000
        assert bucket.objects == before + len(paths)


def test_no_more_is_held_than_memory_is_given_and_whoever_asks_is_served() -> None:
    fetched: list[int] = []

    def fetch(piece: int) -> bytes:
        fetched.append(piece)
        return bytes(10)

    ahead = Ahead(fetch, threads=1, most_bytes=25)
    ahead.want(range(10))
    until(lambda: len(fetched) == 3)
    time.sleep(0.05)
    assert fetched == [0, 1, 2]
    # not begun: for the caller to fetch, and forgotten here
    assert ahead.take(9) is None
    assert ahead.take(0) == bytes(10)
    until(lambda: fetched == [0, 1, 2, 3])


def test_what_nobody_has_taken_is_let_go_once_later_things_are_wanted() -> None:
    ahead = Ahead(lambda piece: bytes(10), threads=1, most_bytes=15)
    ahead.want([0, 1])
    until(lambda: ahead._held_bytes == 20)
    for turn in range(2, 5):
        ahead.want([turn])
    assert ahead.take(4) is None
    until(lambda: ahead._held_bytes == 0)


def test_a_failure_is_raised_where_the_piece_is_asked_for_and_tried_again_after_it() -> None:
    turns = iter([OSError("first"), b"then"])

    def fetch(piece: int) -> bytes:
        turn = next(turns)
        if isinstance(turn, Exception):
            raise turn
        return turn

    ahead = Ahead(fetch, threads=2, most_bytes=100)
    ahead.want([7])
    until(lambda: 7 in ahead._begun)
    with pytest.raises(OSError, match="first"):
        ahead.take(7)
    assert ahead.take(7) is None
    ahead.want([7])
    until(lambda: 7 in ahead._begun)
    assert ahead.take(7) == b"then"


def test_threads_end_when_there_is_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vitcli.images.source.remote.ahead.IDLE_SECONDS", 0.05)
    ahead = Ahead(lambda piece: None, threads=3, most_bytes=100)
    before = threading.active_count()
    ahead.want(range(9))
    until(lambda: ahead._threads == 0)
    until(lambda: threading.active_count() <= before)
