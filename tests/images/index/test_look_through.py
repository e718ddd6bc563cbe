"""It is decided once, before training, which images are left out, and that is told."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from vitcli.data.layouts.folder import FolderData
from vitcli.data.layouts.unlabelled import UnlabelledData
from vitcli.errors import DataError
from vitcli.images.index import look_through as verify
from vitcli.images.index.facts import UNKNOWN
from vitcli.images.index.index import Index, index_file
from vitcli.images.index.quarantine import read_quarantine, write_quarantine

PHOTOS = [f"{split}/{label}/{number}.jpg" for split in ("train", "val") for label in "ab" for number in range(10)]


@pytest.fixture
def photos(tmp_path: Path, write_photos: Callable[..., None]) -> Path:
    """Forty photos, of which one is cut in the middle and one is none."""
    write_photos(*PHOTOS)
    cut = tmp_path / "train" / "a" / "3.jpg"
    content = cut.read_bytes()
    cut.write_bytes(content[: len(content) // 2] + b"\xff\xd9")
    (tmp_path / "val" / "b" / "1.jpg").write_text("no image")
    return tmp_path


def fit(root: Path, **options: object) -> FolderData:
    options = {"cache_dir": str(root / ".kept"), "max_errors": 0.2} | options
    data = FolderData(str(root), **options)
    data.setup("fit")
    return data


def test_unreadable_images_are_left_out_of_the_whole_run_and_named(photos: Path) -> None:
    data = fit(photos)
    assert data.left_out == {
        "train": {"train/a/3.jpg": "truncated"},
        "val": {"val/b/1.jpg": "not an image (cannot identify)"},
    }
    assert len(data.listing("train")) == len(data.listing("val")) == 19
    assert "train/a/3.jpg" not in data.listing("train").paths
    assert data.listing("train").labels.tolist() == [0] * 9 + [1] * 10
    shown = [path for batch in data.train_dataloader() for path in batch["index"].tolist()]
    assert sorted(shown) == list(range(19))
    assert all(batch["errors"] == [] for batch in data.train_dataloader())


def test_on_error_fail_names_them_and_what_to_do(photos: Path) -> None:
    with pytest.raises(DataError) as caught:
        fit(photos, on_error="fail")
    assert str(caught.value) == (
        "data.on_error fail: 1 of 20 train images cannot be read (train/a/3.jpg: truncated); repair them, leave them "
        "out with vitcli check --quarantine, or set data.on_error skip"
    )


def test_too_many_of_them_are_an_error(photos: Path) -> None:
    with pytest.raises(DataError, match=r"^data.max_errors 0.01: 1 of 20 train images .* a share of 0.05; run vitcli"):
        fit(photos, max_errors=0.01)
    assert len(fit(photos, max_errors=0.05).listing("train")) == 19


def test_what_is_in_quarantine_is_left_out_everywhere_and_is_no_error(photos: Path) -> None:
    write_quarantine(str(photos / "bad.txt"), {"train/a/3.jpg": "truncated", "val/b/1.jpg": "none", "val/a/0.jpg": "x"})
    data = fit(photos, on_error="fail", quarantine=str(photos / "bad.txt"))
    assert data.left_out["val"] == {
        "val/a/0.jpg": "in quarantine",
        "val/b/1.jpg": "in quarantine",
    }
    predicted = UnlabelledData(str(photos / "val"), quarantine=str(photos / "bad.txt"))
    assert len(predicted.listing("predict")) == 20
    write_quarantine(str(photos / "bad.txt"), {"a/0.jpg": "x"})
    (batch,) = UnlabelledData(str(photos / "val"), quarantine=str(photos / "bad.txt")).predict_dataloader()
    assert (0, "in quarantine") in batch["errors"]
    assert len(batch["index"]) + len(batch["errors"]) == 20


def test_a_list_keeps_names_that_are_no_utf_8(tmp_path: Path) -> None:
    name = os.fsdecode(b"a/\xff 1.jpg")
    write_quarantine(str(tmp_path / "deep" / "bad.txt"), {name: "truncated", "b.jpg": "dup"})
    assert read_quarantine(str(tmp_path / "deep" / "bad.txt")) == {name, "b.jpg"}
    with pytest.raises(DataError, match=r"^data.quarantine \S+/gone.txt: cannot be read \(No such file"):
        read_quarantine(str(tmp_path / "gone.txt"))


def test_what_was_seen_before_an_interruption_is_not_looked_at_again(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = verify.inspect
    seen: list[bytes] = []

    def stop(content: bytes, max_pixels: int, white: int | None) -> object:
        seen.append(content)
        if len(seen) == 15:
            raise KeyboardInterrupt
        return looked(content, max_pixels, white)

    monkeypatch.setattr(verify, "inspect", stop)
    monkeypatch.setattr(verify, "CHUNK", 5)
    with pytest.raises(KeyboardInterrupt):
        fit(photos)
    data = FolderData(str(photos), cache_dir=str(photos / ".kept"))
    index = Index.load(index_file(data.kept_in, data.source, "train", data.max_pixels))
    assert index is not None
    assert 10 <= (index.columns["verdict"] != UNKNOWN).sum() < 20


def test_a_larger_limit_of_pixels_is_another_verdict(tmp_path: Path, write_photos: Callable[..., None]) -> None:
    write_photos(*(f"{label}/{number}.png" for label in "ab" for number in range(10)))
    small = FolderData(str(tmp_path), cache_dir=str(tmp_path / ".kept"), max_pixels=2000, max_errors=1.0)
    with pytest.raises(DataError, match=r": no image for train in a, b; all of its images are left out \("):
        small.setup("fit")
    assert len(small.left_out["train"]) == 16
    assert set(small.left_out["train"].values()) == {"too large (60 x 40 pixels, at most 0.002 million)"}
    large = FolderData(str(tmp_path), cache_dir=str(tmp_path / ".kept"), max_pixels=3000)
    large.setup("fit")
    assert large.left_out == {}
