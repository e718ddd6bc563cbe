"""Archives are read in place, and a hostile or broken one does no harm."""

from __future__ import annotations

import io
import os
import pickle
import random
import tarfile
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vitcli.data.layouts.folder import FolderData
from vitcli.errors import DataError
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.source.archive import Archive
from vitcli.images.source.entries import Entry
from vitcli.images.source.open import open_source
from vitcli.images.source.source import Folder
from vitcli.images.source.walk import IMAGE_EXTENSIONS

FILES = {f"{label}/{number}.png": f"{label}{number}".encode() * 50 for label in "ab" for number in range(12)}


def write_zip(file: Path, members: dict[str, bytes], *, mode: int = 0o100644) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members.items():
            member = zipfile.ZipInfo(name)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = mode << 16
            opened.writestr(member, content)


def write_tar(file: Path, members: dict[str, bytes], kind: str = "w") -> None:
    with tarfile.open(file, kind) as opened:  # type: ignore[call-overload]
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))


def write(file: Path, members: dict[str, bytes]) -> None:
    (write_zip if file.suffix == ".zip" else write_tar)(file, members)


@pytest.mark.parametrize("name", ["set.zip", "set.tar"])
def test_an_archive_holds_what_a_folder_would(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, FILES | {"a/notes.txt": b"x", "__MACOSX/a/._1.png": b"x", "a/.hidden.png": b"x"})
    source = open_source(str(tmp_path / name))
    assert source.folders() == ["a", "b"]
    found, left_out = source.files("a", IMAGE_EXTENSIONS)
    assert {entry.path: entry.size for entry in found} == {
        path: len(content) for path, content in FILES.items() if path.startswith("a/")
    }
    assert left_out == {"no image by its extension '.txt'": 1, "hidden file": 1}
    assert source.files("", IMAGE_EXTENSIONS)[1]["hidden or system folder"] == 1
    assert {path: source.read(path) for path in FILES} == FILES
    assert os.listdir(tmp_path) == [name]
    with pytest.raises(UnreadableImage, match=r"^no such file in the archive$"):
        source.read("a/gone.png")


@pytest.mark.parametrize("name", ["set.zip", "set.tar"])
def test_threads_and_processes_read_an_archive_at_once(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, FILES)
    source = open_source(str(tmp_path / name))
    source.read("a/0.png")
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(source.read, list(FILES) * 20)) == list(FILES.values()) * 20
    travelled = pickle.loads(pickle.dumps(source))
    assert travelled.read("b/7.png") == FILES["b/7.png"]
    child = os.fork()
    if not child:
        # a forked process: its reads must not move where its parent reads
        good = all(source.read(path) == content for path, content in FILES.items())
        os._exit(0 if good else 1)
    assert all(source.read(path) == content for path, content in FILES.items())
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("kind", ["set.zip", "set.tar"])
@pytest.mark.parametrize("name", ["../evil.jpg", "/evil.jpg", "a/../../evil.jpg", "..\\evil.jpg", "C:\\evil.jpg"])
def test_an_archive_that_points_outside_is_refused(tmp_path: Path, kind: str, name: str) -> None:
    write(tmp_path / kind, {"cat/0.jpg": b"x", name: b"evil"})
    with pytest.raises(DataError, match=r"^data.root \S+: .* points outside of the archive; download it again"):
        open_source(str(tmp_path / kind))
    assert os.listdir(tmp_path) == [kind]


def found_in(archive: Path) -> tuple[list[Entry], Counter[str]]:
    found, left_out = open_source(str(archive)).files()
    return list(found), left_out


def test_links_bombs_and_secrets_in_an_archive_are_counted_and_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_zip(tmp_path / "link.zip", {"a/0.jpg": b"/etc/passwd"}, mode=0o120777)
    assert found_in(tmp_path / "link.zip") == ([], {"link": 1})
    write_zip(tmp_path / "bomb.zip", {"a/0.jpg": bytes(4 * 2**20)})
    assert found_in(tmp_path / "bomb.zip") == ([], {"expands more than 100 times": 1})
    content = bytearray((tmp_path / "bomb.zip").read_bytes())
    # the flag of encryption in the directory at the end
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "secret.zip").write_bytes(content)
    assert found_in(tmp_path / "secret.zip") == ([], {"encrypted": 1})
    with tarfile.open(tmp_path / "link.tar", "w") as opened:
        member = tarfile.TarInfo("a/0.jpg")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        opened.addfile(member)
    assert found_in(tmp_path / "link.tar") == ([], {"link": 1})
    monkeypatch.setattr("vitcli.images.source.inner.MOST_BYTES", 500)
    write_tar(tmp_path / "large.tar", {"a/0.jpg": bytes(501)})
    assert found_in(tmp_path / "large.tar")[0] == []


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    members = {path: os.urandom(500) for path in FILES}
    write_zip(tmp_path / "whole.zip", members)
    write_tar(tmp_path / "whole.tar", members)
    write_tar(tmp_path / "packed.tar", members, "w:gz")
    (tmp_path / "cut.zip").write_bytes((tmp_path / "whole.zip").read_bytes()[:3000])
    (tmp_path / "cut.tar").write_bytes((tmp_path / "whole.tar").read_bytes()[:1636])
    (tmp_path / "none.tar").write_bytes(b"no tar" * 1000)
    for name in ("cut.zip", "cut.tar", "none.tar", "packed.tar"):
        with pytest.raises(DataError, match=rf"^data.root \S+/{name}: is damaged or no archive \(.*\); download"):
            open_source(str(tmp_path / name))
    flipped = bytearray((tmp_path / "whole.zip").read_bytes())
    flipped[200] ^= 255
    (tmp_path / "flipped.zip").write_bytes(flipped)
    with pytest.raises(UnreadableImage, match=r"^damaged in the archive \(.*CRC"):
        open_source(str(tmp_path / "flipped.zip")).read("a/0.png")


def test_an_archive_is_trained_on_like_a_folder(tmp_path: Path) -> None:
    from tests.conftest import picture_bytes

    members = {f"{label}/{number}.png": picture_bytes(number) for label in ("cat", "dog") for number in range(10)}
    write_zip(tmp_path / "set.zip", members)
    for path, content in members.items():
        (tmp_path / "set" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / path).write_bytes(content)
    packed, loose = (FolderData(str(tmp_path / name), batch_size=4) for name in ("set.zip", "set"))
    assert packed.find_classes() == loose.find_classes() == ("cat", "dog")
    for one, other in zip(packed.train_dataloader(), loose.train_dataloader(), strict=True):
        assert one["image"].equal(other["image"])
        assert one["label"].equal(other["label"])
    assert isinstance(packed.source, Archive)
    assert isinstance(loose.source, Folder)


def test_names_of_a_zip_are_utf_8_also_where_it_does_not_say_so(tmp_path: Path) -> None:
    file = tmp_path / "a.zip"
    with zipfile.ZipFile(file, "w") as opened:
        for name in ("h__nd/1.png", "____/2.png", "caf_/3.png"):
            opened.writestr(name, b"")
    content = file.read_bytes()
    # as Info-ZIP's zip writes them; the last one is in code page 437
    for name, said in ((b"h__nd", "hünd".encode()), (b"____", "🐱".encode()), (b"caf_", "café".encode("cp437"))):
        content = content.replace(name, said)
    file.write_bytes(content)
    zipped = open_source(str(file))
    assert zipped.folders() == ["café", "hünd", "🐱"]
    assert zipped.read("🐱/2.png") == b""


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_whose_bytes_are_wrong_is_an_unreadable_image(tmp_path: Path, method: int) -> None:
    rng = random.Random(0)
    file = tmp_path / "photos.zip"
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("a/x.jpg", bytes(rng.randrange(60) for _ in range(20_000)))
        archive.writestr("a/y.jpg", b"whole")
    content = bytearray(file.read_bytes())
    for place in range(200, 900):
        content[place] ^= 0xA5
    file.write_bytes(content)
    source = open_source(str(file))
    with pytest.raises(UnreadableImage, match="damaged in the archive"):
        source.read("a/x.jpg")
    assert source.read("a/y.jpg") == b"whole"


def test_a_tar_whose_members_tell_no_change_is_looked_at_anew_when_it_has_changed(tmp_path: Path) -> None:
    def look() -> dict[str, int]:
        return {entry.path: entry.version for entry in open_source(str(tmp_path / "set.tar")).files()[0]}

    write(tmp_path / "set.tar", FILES)
    os.utime(tmp_path / "set.tar", ns=(10**18, 10**18))
    before = look()
    assert look() == before
    write(tmp_path / "set.tar", {path: content[::-1] for path, content in FILES.items()})
    after = look()
    assert after.keys() == before.keys()
    assert all(after[path] != before[path] for path in after)
