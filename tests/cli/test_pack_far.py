"""``vitcli pack`` of photos in a bucket asks for many of them at once, and writes what it writes of the folder."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.bucket import serving
from vitcli.__main__ import main
from vitcli.images.source.remote.options import REMOTE

pytest.importorskip("s3fs")
# of a store: so many requests are always in flight, of the 32 that one process may make
AT_ONCE, COUNT = REMOTE.requests // 2, 8 * REMOTE.requests


@pytest.mark.slow
def test_photos_in_a_bucket_are_asked_for_many_at_a_time_from_the_first_to_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(COUNT):
        file = tmp_path / "store" / "photos" / "ab"[number % 2] / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(f"picture {number}".encode() * 50)
    # whoever asks is answered when as many are asking
    together = threading.Barrier(AT_ONCE)
    alone: list[int] = []

    def is_alone(number: int) -> bool:
        try:
            together.wait(20)
        except threading.BrokenBarrierError:
            alone.append(number)
        return False

    with serving(tmp_path / "store") as bucket:
        for name, value in bucket.environment().items():
            monkeypatch.setenv(name, value)
        bucket.faults.stalls = is_alone
        words = ["--size=40kB", f"--data.remote.cache_dir={tmp_path / 'cache'}"]
        assert main(["pack", "s3://photos", "--out", str(tmp_path / "far"), *words]) == 0
        assert bucket.objects == COUNT
    assert not alone
    assert main(["pack", str(tmp_path / "store" / "photos"), "--out", str(tmp_path / "near"), "--size=40kB"]) == 0
    far, near = ({file.name: file.read_bytes() for file in (tmp_path / of).glob("*.tar")} for of in ("far", "near"))
    assert len(far) > 3
    assert far == near
