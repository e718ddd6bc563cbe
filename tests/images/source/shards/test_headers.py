"""The members of any tar are those that Python's tarfile finds, and one that is damaged is refused in a few words."""

from __future__ import annotations

import io
import os
import random
import tarfile
from pathlib import Path

import pytest

from tests.images.source.shards.write import samples, write_shard
from vitcli.images.source.ranges import FileRanges
from vitcli.images.source.shards.headers import Member, Window, members

LONG = "a-folder-of-a-long-name/" * 12 + "a-name-of-thirty-and-more-letters.jpg"
NAMES = {"a.jpg": b"x" * 700, "b/c.png": b"", LONG: b"long", "d/\N{LATIN SMALL LETTER E WITH ACUTE}.jpg": b"y" * 512}


def found(file: Path) -> list[Member]:
    return list(members(Window(FileRanges(str(file)), file.name, file.stat().st_size)))


@pytest.mark.parametrize("time", [0, 1700000000.25])
@pytest.mark.parametrize("layout", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_are_those_that_tarfile_finds(tmp_path: Path, layout: int, time: float) -> None:
    file = write_shard(tmp_path / "0.tar", NAMES | samples(40), layout, time)
    with tarfile.open(file) as opened:
        expected = [Member(member.name, member.size, member.offset_data, "file") for member in opened]
    assert found(file) == expected
    assert expected[2].name == LONG


def test_folders_links_and_devices_have_no_content(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "0.tar", "w") as opened:
        for kind, name in zip(b"5123467", "abcdefg", strict=True):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = bytes([kind]), "a"
            member.size = 3 if kind == ord("7") else 0
            opened.addfile(member, io.BytesIO(b"xyz"))
    kinds = ["folder", "link", "link", "special", "special", "special", "file"]
    assert [member.kind for member in found(tmp_path / "0.tar")] == kinds


def test_a_tar_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = write_shard(tmp_path / "0.tar", samples(6)).read_bytes()
    end = len(whole.rstrip(b"\0"))
    draw = random.Random(0)
    for length in (1, 511, 512, 1024, end - 1, end, *(draw.randrange(end) for _ in range(40))):
        (tmp_path / "cut.tar").write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"truncated|damaged header|no tar"):
            found(tmp_path / "cut.tar")


def test_any_byte_of_a_header_that_is_another_is_noticed(tmp_path: Path) -> None:
    whole = write_shard(tmp_path / "0.tar", samples(2)).read_bytes()
    draw = random.Random(0)
    for _ in range(60):
        place = draw.randrange(500)
        if 148 <= place < 156:
            # its sum, in which a blank for a leading zero is the same number
            continue
        damaged = bytearray(whole)
        damaged[place] ^= 1 << draw.randrange(8)
        (tmp_path / "damaged.tar").write_bytes(damaged)
        with pytest.raises(ValueError, match="no tar"):
            found(tmp_path / "damaged.tar")


@pytest.mark.parametrize(("kind", "name"), [("gz", "gzip"), ("bz2", "bzip2"), ("xz", "xz")])
def test_a_compressed_tar_is_named_as_such(tmp_path: Path, kind: str, name: str) -> None:
    with tarfile.open(tmp_path / "0.tar", f"w:{kind}") as opened:  # type: ignore[call-overload]
        opened.addfile(tarfile.TarInfo("a.jpg"))
    with pytest.raises(ValueError, match=f"compressed with {name}"):
        found(tmp_path / "0.tar")


def test_headers_that_tell_more_than_they_may_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "0.tar", "w", format=tarfile.PAX_FORMAT) as opened:
        opened.addfile(tarfile.TarInfo("a" * 100_000))
    with pytest.raises(ValueError, match=r"a header of 100,\d+ bytes"):
        found(tmp_path / "0.tar")
    bad = b"99 path=x\n"
    with tarfile.open(tmp_path / "1.tar", "w") as opened:
        member = tarfile.TarInfo("x")
        member.type, member.size = b"x", len(bad)
        opened.addfile(member, io.BytesIO(bad))
    with pytest.raises(ValueError, match="a damaged pax header"):
        found(tmp_path / "1.tar")


@pytest.mark.parametrize("kind", [b"g", b"x", b"K", b"L", b"0"])
def test_a_size_below_zero_is_refused_and_not_gone_back_to_for_ever(tmp_path: Path, kind: bytes) -> None:
    block = bytearray(tarfile.TarInfo("x").tobuf(tarfile.GNU_FORMAT))
    block[124:136], block[156:157], block[148:156] = b"-0000001000\0", kind, b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    (tmp_path / "0.tar").write_bytes(bytes(block) + bytes(1024))
    with pytest.raises(ValueError, match="a size of -512 bytes"):
        found(tmp_path / "0.tar")


def test_the_contents_of_large_members_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_shard(tmp_path / "0.tar", {f"{number}.jpg": b"x" * 400_000 for number in range(8)})
    read, pread = [], os.pread
    monkeypatch.setattr(os, "pread", lambda *told: read.append(told[1]) or pread(*told))
    assert len(found(file)) == 8
    assert sum(read) < file.stat().st_size / 4
