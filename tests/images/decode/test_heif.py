"""HEIC is read where pillow-heif is installed, and says what it needs where it is not."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import photo, picture_bytes
from tests.images.source.test_archive import write_zip
from vitcli.data.layouts.folder import FolderData
from vitcli.data.layouts.labelled import LabelledFiles
from vitcli.data.layouts.manifest import ManifestData
from vitcli.data.layouts.unlabelled import UnlabelledData
from vitcli.images.cache.copies import Shrunk, StoredOpener
from vitcli.images.cache.store import stored
from vitcli.images.decode import heif
from vitcli.images.decode.encoded import MAX_PIXELS, EncodedPicture
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.index import facts
from vitcli.images.index.facts import SOUND, UNREADABLE, inspect
from vitcli.images.source.walk import IMAGE_EXTENSIONS, find_files


def head(brand: bytes, *compatible: bytes) -> bytes:
    box = b"ftyp" + brand + bytes(4) + b"".join(compatible)
    return (4 + len(box)).to_bytes(4, "big") + box


@pytest.mark.parametrize(
    "content", [head(b"heic", b"mif1", b"heic"), head(b"mif1", b"heic"), head(b"heix"), head(b"msf1")]
)
def test_without_pillow_heif_the_reason_names_the_remedy(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UnreadableImage, match=r"^HEIC needs pillow-heif; pip install pillow-heif$"):
        EncodedPicture(content)
    found = inspect(content)
    assert (found.verdict, found.reason) == (UNREADABLE, "HEIC needs pillow-heif; pip install pillow-heif")


@pytest.mark.parametrize(
    "content", [head(b"avif", b"mif1"), head(b"mif1", b"avif"), head(b"isom"), b"", b"\xff\xd8\xff", b"RIFF"]
)
def test_what_is_no_heif_is_left_to_pillow(content: bytes) -> None:
    assert not heif.is_heif(content)


def test_avif_is_read_without_pillow_heif(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert EncodedPicture(picture_bytes(0, "AVIF")).format == "AVIF"


@pytest.mark.parametrize("name", ["IMG_1.HEIC", "a.heif", "b.Hif"])
def test_such_files_are_found_with_and_without(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / name).write_bytes(head(b"heic"))
    for installed in (False, True):
        monkeypatch.setattr(heif, "is_installed", lambda installed=installed: installed)
        found, left_out = find_files(tmp_path, extensions=IMAGE_EXTENSIONS)
        assert [entry.path for entry in found] == [name]
        assert not left_out


@pytest.mark.parametrize("name", ["IMG_1.HEIC", "sent.jpg"])
@pytest.mark.parametrize("place", ["folder", "zip", "table"])
def test_what_was_unreadable_without_pillow_heif_is_looked_at_anew_with_it(
    name: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{label}/{file}" for label in "ab" for file in ("0.png", name)]
    for number, path in enumerate(names):
        (tmp_path / "photos" / path).parent.mkdir(parents=True, exist_ok=True)
        content = picture_bytes(number) if path.endswith(".png") else head(b"heic")
        (tmp_path / "photos" / path).write_bytes(content)
    root = tmp_path / "photos"
    if place == "zip":
        write_zip(tmp_path / "photos.zip", {path: (root / path).read_bytes() for path in names})
    if place == "table":
        (root / "rows.csv").write_text("path,label\n" + "".join(f"{path},{path[0]}\n" for path in names))

    def unreadable() -> int:
        if place == "table":
            data: LabelledFiles = ManifestData(str(root / "rows.csv"), cache_dir=str(tmp_path / "kept"))
        else:
            data = FolderData(str(root) + (".zip" if place == "zip" else ""), cache_dir=str(tmp_path / "kept"))
        pools = data.look_at_all().values()
        index = next(iter(pools)).index
        return int((index.columns["verdict"] == UNREADABLE).sum())

    monkeypatch.setattr(heif, "is_installed", lambda: False)
    monkeypatch.setattr(facts, "EncodedPicture", refusing_heif)
    assert unreadable() == 2
    monkeypatch.setattr(facts, "EncodedPicture", lambda content, max_pixels: EncodedPicture(picture_bytes()))
    assert unreadable() == 2, "kept from run to run"
    monkeypatch.setattr(heif, "is_installed", lambda: True)
    assert unreadable() == 0


def refusing_heif(content: bytes, max_pixels: int) -> EncodedPicture:
    """A picture where pillow-heif is not installed."""
    if heif.is_heif(content):
        raise UnreadableImage(heif.NEEDS)
    return EncodedPicture(content, max_pixels)


def test_copies_made_without_pillow_heif_are_not_taken_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jpg").write_bytes(picture_bytes(0, "JPEG"))
    listing = UnlabelledData(str(tmp_path)).listing("predict")
    places = []
    for installed in (False, True):
        monkeypatch.setattr(heif, "is_installed", lambda installed=installed: installed)
        copies = stored(
            listing, Shrunk(8), "disk", folder=tmp_path / "kept", owner="me", max_pixels=MAX_PIXELS, threads=1
        )
        assert isinstance(copies.open, StoredOpener)
        places.append(copies.open.folder.name)
    assert places[0] != places[1]


@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_with_pillow_heif_a_photo_is_read_upright(orientation: int) -> None:
    pillow_heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    pillow_heif.from_pillow(photo()).save(buffer, quality=95, exif=exif.tobytes())
    content = buffer.getvalue()
    found = inspect(content)
    upright = photo() if orientation == 1 else photo().rotate({6: -90, 8: 90}[orientation], expand=True)
    assert (found.verdict, found.format, found.width, found.height) == (SOUND, "HEIF", *upright.size)
    shown = np.asarray(EncodedPicture(content).image()).astype(int)
    assert np.abs(shown - np.asarray(upright)).mean() < 5


def test_with_pillow_heif_a_damaged_photo_and_one_too_large_are_refused() -> None:
    pillow_heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    buffer = io.BytesIO()
    pillow_heif.from_pillow(photo()).save(buffer)
    content = buffer.getvalue()
    assert inspect(content, max_pixels=100).reason.startswith("too large (60 x 40 pixels")
    assert inspect(content[: len(content) // 2]).verdict == UNREADABLE
    assert inspect(head(b"heic")).verdict == UNREADABLE
