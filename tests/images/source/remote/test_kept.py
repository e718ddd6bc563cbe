"""The local cache: of limited size, shared, never half a piece, and no reason to fail."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.bucket import Bucket
from vitcli.images.source.open import open_source
from vitcli.images.source.remote import room
from vitcli.images.source.remote.kept import Kept
from vitcli.images.source.remote.options import Remote
from vitcli.machine.atomic import part_of

CONTENT = bytes(range(256)) * 40


def keys(count: int) -> list[str]:
    return [f"{number:02x}{'e' * 38}" for number in range(count)]


def cache(tmp_path: Path, root: str = "root", most: int = 10**6) -> Kept:
    return Kept(tmp_path / "cache", root, most, 5.0)


def files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "cache").glob("*/??/*") if path.is_file()]


def test_a_piece_is_had_again_whole_and_in_parts(tmp_path: Path) -> None:
    [key] = keys(1)
    assert cache(tmp_path).put(key, CONTENT)
    kept = cache(tmp_path)
    assert kept.get(key, len(CONTENT)) == CONTENT
    assert kept.get(key, len(CONTENT), 5, 7) == CONTENT[5:12]
    assert kept.get(key, len(CONTENT), 9, 7) == CONTENT[9:16]


@pytest.mark.parametrize("damage", ["cut", "longer", "zeros", "empty"])
def test_a_piece_that_a_loss_of_power_has_damaged_is_none(tmp_path: Path, damage: str) -> None:
    [key] = keys(1)
    cache(tmp_path).put(key, CONTENT)
    [file] = files(tmp_path)
    whole = file.read_bytes()
    damaged = {"cut": whole[:-9], "longer": whole + b"x", "zeros": bytes(len(whole)), "empty": b""}
    file.write_bytes(damaged[damage])
    assert cache(tmp_path).get(key, len(CONTENT), 5, 7) is None
    assert not files(tmp_path)


def test_no_more_is_kept_than_is_allowed_and_what_is_in_use_stays(tmp_path: Path) -> None:
    kept = cache(tmp_path, most=5 * len(CONTENT))
    done = [kept.put(key, CONTENT) for key in keys(8)]
    assert done == [True] * 4 + [False] * 4
    assert sum(file.stat().st_size for file in files(tmp_path)) <= 5 * len(CONTENT)
    assert [kept.get(key, len(CONTENT)) is not None for key in keys(8)] == done


def test_what_another_root_has_kept_makes_room_the_longest_unused_first(tmp_path: Path) -> None:
    # in a process of its own, which has ended: nobody reads that root now
    code = (
        "import sys; from pathlib import Path; from vitcli.images.source.remote.kept import Kept;"
        "kept, content = Kept(Path(sys.argv[1], 'cache'), 'other', 10**6, 5.0), bytes(range(256)) * 40;"
        "sys.exit(not all([kept.put(key, content) for key in sys.argv[2:]]))"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path), *keys(4)], check=False).returncode == 0
    for number, file in enumerate(sorted(files(tmp_path))):
        os.utime(file, (1e9 + (number + 2) % 4, 1e9 + (number + 2) % 4))
    kept = cache(tmp_path, most=5 * len(CONTENT))
    assert kept.put(keys(6)[5], CONTENT)
    assert {file.parent.name for file in files(tmp_path) if file.parts[-3] == "other"} == {"00", "01", "03"}
    assert kept.get(keys(6)[5], len(CONTENT)) == CONTENT


def test_what_a_process_reads_now_is_not_removed_for_another_root(tmp_path: Path) -> None:
    other = cache(tmp_path, "other", 5 * len(CONTENT))
    assert all(other.put(key, CONTENT) for key in keys(4))
    assert not cache(tmp_path, most=5 * len(CONTENT)).put(keys(6)[5], CONTENT)
    assert len(files(tmp_path)) == 4


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_takes_no_more_costs_only_the_cache(
    photos: Path, bucket: Bucket, remote: Remote, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = open_source("s3://photos/set", remote=remote)
    paths = source.files()[0].paths
    with files_of_at_most(100):
        read = {path: source.read(path) for path in paths}
    assert read == {path: (photos / "set" / path).read_bytes() for path in paths}
    assert not files(tmp_path)
    assert not list((tmp_path / "cache").rglob("*.part"))
    told = capsys.readouterr().err
    assert told.count("going on without keeping more") == 1
    assert "File too large" in told


def test_a_disk_that_is_nearly_full_is_left_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "RESERVE_BYTES", 2**60)
    monkeypatch.setattr(room.shutil, "disk_usage", lambda path: type("Disk", (), {"free": 9000, "total": 20 * 9000})())
    assert not cache(tmp_path).put(keys(1)[0], CONTENT)
    assert not files(tmp_path)


def test_a_folder_that_cannot_be_written_costs_only_the_cache(photos: Path, bucket: Bucket, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    source = open_source("s3://photos/set", remote=Remote(cache_dir=str(tmp_path / "file" / "cache")))
    path = source.files()[0].paths[0]
    assert source.read(path) == source.read(path) == (photos / "set" / path).read_bytes()
    assert bucket.objects == 2


def test_of_many_that_want_the_same_piece_one_fetches_it(photos: Path, bucket: Bucket, remote: Remote) -> None:
    sources = [open_source("s3://photos/set", remote=remote) for _ in range(3)]
    path = sources[0].files()[0].paths[0]
    bucket.faults.delay_seconds = 0.1
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda source: source.read(path), sources * 2))
    assert found == [(photos / "set" / path).read_bytes()] * 6
    assert bucket.objects == 1


def test_a_process_that_is_killed_while_it_fetches_leaves_nothing_half_and_locks_nobody_out(
    photos: Path, bucket: Bucket, remote: Remote, tmp_path: Path
) -> None:
    (photos / "set" / "a" / "big.jpg").write_bytes(CONTENT * 300)
    code = (
        "import sys; from vitcli.images.source.open import open_source;"
        "from vitcli.images.source.remote.options import Remote;"
        "source = open_source('s3://photos/set', remote=Remote(cache_dir=sys.argv[1]));"
        "source.read('a/0 ü.jpg'); print('ready', flush=True); source.read('a/big.jpg')"
    )
    bucket.faults.stalls = lambda number: number == 2
    started = subprocess.Popen([sys.executable, "-c", code, remote.cache_dir or ""], stdout=subprocess.PIPE)
    assert started.stdout is not None
    assert started.stdout.readline() == b"ready\n"
    while bucket.objects < 2:
        time.sleep(0.01)
    started.send_signal(signal.SIGKILL)
    started.wait()
    started.stdout.close()
    assert len(files(tmp_path)) == 1
    source = open_source("s3://photos/set", remote=remote)
    assert source.read("a/big.jpg") == CONTENT * 300
    assert not list((tmp_path / "cache").rglob("*.part"))


def test_a_part_that_a_killed_process_was_writing_is_swept_away(tmp_path: Path) -> None:
    kept = cache(tmp_path)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    part = next((tmp_path / "cache").rglob("*.part"), None)
    assert part is None
    kept.put(keys(1)[0], CONTENT)
    name = part_of(tmp_path / "cache/root/parts/x").name
    left = tmp_path / "cache/root/parts" / name.replace(f"-{os.getpid()}.", f"-{gone.pid}.")
    left.write_bytes(b"half")
    assert cache(tmp_path).put(keys(2)[1], CONTENT)
    assert not left.exists()


def test_there_is_room_where_somebody_else_has_emptied_the_cache(tmp_path: Path) -> None:
    (tmp_path / "photos" / "ab").mkdir(parents=True)
    counted = room.Room(tmp_path, "photos", 1000)
    assert counted.take(900)
    (tmp_path / "photos" / "ab" / "piece").write_bytes(bytes(900))
    assert not counted.take(200)
    (tmp_path / "photos" / "ab" / "piece").unlink()
    assert counted.take(200)
