"""HEIC is read where pillow-heif is installed, and says what it needs where it is not."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import photo, picture_bytes
from vitcli.images.decode import heif
from vitcli.images.decode.encoded import EncodedPicture
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.index.facts import SOUND, UNREADABLE, inspect
from vitcli.images.source.archive import open_source
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
    facts = inspect(content)
    assert (facts.verdict, facts.reason) == (UNREADABLE, "HEIC needs pillow-heif; pip install pillow-heif")


@pytest.mark.parametrize(
    "content", [head(b"avif", b"mif1"), head(b"mif1", b"avif"), head(b"isom"), b"", b"\xff\xd8\xff", b"RIFF"]
)
def test_what_is_no_heif_is_left_to_pillow(content: bytes) -> None:
    assert not heif.is_heif(content)


def test_avif_is_read_without_pillow_heif(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert EncodedPicture(picture_bytes(0, "AVIF")).format == "AVIF"


@pytest.mark.parametrize("name", ["IMG_1.HEIC", "a.heif", "b.Hif"])
def test_such_files_are_found_with_and_without_and_known_anew_once_they_can_be_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_bytes(head(b"heic"))
    (tmp_path / "c.jpg").write_bytes(b"x")
    versions = []
    for installed in (False, True):
        monkeypatch.setattr(heif, "is_installed", lambda installed=installed: installed)
        found, left_out = find_files(tmp_path, extensions=IMAGE_EXTENSIONS)
        assert not left_out
        versions.append({entry.path: entry.version for entry in found})
        assert dict(versions[-1]) == {
            entry.path: entry.version for entry in open_source(str(tmp_path)).files("", IMAGE_EXTENSIONS)[0]
        }
    assert versions[0][name] != versions[1][name]
    assert versions[0]["c.jpg"] == versions[1]["c.jpg"]


@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_with_pillow_heif_a_photo_is_read_upright(orientation: int) -> None:
    pillow_heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    pillow_heif.from_pillow(photo()).save(buffer, quality=95, exif=exif.tobytes())
    content = buffer.getvalue()
    facts = inspect(content)
    upright = photo() if orientation == 1 else photo().rotate({6: -90, 8: 90}[orientation], expand=True)
    assert (facts.verdict, facts.format, facts.width, facts.height) == (SOUND, "HEIF", *upright.size)
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
