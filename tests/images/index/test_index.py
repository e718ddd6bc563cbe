"""A folder is looked at once, and its facts are kept for exactly as long as they hold."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vitcli.data.layouts.folder import FolderData
from vitcli.images.index.facts import SOUND, UNKNOWN, UNREADABLE, Facts
from vitcli.images.index.index import Index, index_file, scan
from vitcli.images.source.entries import Entries, Entry
from vitcli.images.source.paths import Paths
from vitcli.images.source.source import Folder
from vitcli.images.source.walk import IMAGE_EXTENSIONS

FACTS = Facts(SOUND, "", 4, 6, "PNG", b"d" * 16, b"l" * 16)
BAD = Facts(UNREADABLE, "truncated", 0, 0, "", b"e" * 16)


def entries(*names: str, version: int = 1) -> Entries:
    return Entries(Entry(name, len(name), version) for name in names)


def test_paths_are_a_sequence_in_one_string() -> None:
    names = ["a", "bc", "", os.fsdecode(b"\xff.png"), "ü/1.jpg"]
    paths = Paths.of(names)
    assert list(paths) == names
    assert paths == names
    assert (paths[1], paths[-1], paths[1:3], len(paths)) == ("bc", "ü/1.jpg", ["bc", ""], 5)
    chosen = paths.take(np.array([4, 0]))
    assert list(chosen) == ["ü/1.jpg", "a"]
    assert list(pickle.loads(pickle.dumps(chosen))) == ["ü/1.jpg", "a"]
    with pytest.raises(IndexError):
        chosen[2]


def test_rows_are_in_natural_order_however_they_were_met() -> None:
    index = Index.of(entries("a/10.png", "a/9.png", "B/1.png"))
    assert list(index.paths.take(index.order)) == ["a/9.png", "a/10.png", "B/1.png"]
    assert list(index.paths.take(index.unknown)) == ["a/9.png", "a/10.png", "B/1.png"]


def test_what_is_known_outlives_the_run_but_not_a_change_of_the_file(tmp_path: Path) -> None:
    index = Index.of(entries("1.png", "2.png", "3.png"), Counter({"link": 2}))
    index.note(0, FACTS)
    index.note(1, BAD)
    index.save(tmp_path / "deep" / "index.npz")
    loaded = Index.load(tmp_path / "deep" / "index.npz")
    assert loaded is not None
    assert (loaded.facts(0), loaded.facts(1), loaded.left_out) == (FACTS, BAD, {"link": 2})
    same = Index.of(entries("1.png", "2.png", "3.png"), Counter(), loaded)
    assert same is loaded
    changed = Index.of(Entries([*entries("0.png", "2.png"), Entry("1.png", 5, 2), *entries("3.png")]), None, loaded)
    assert [changed.facts(row).verdict for row in range(4)] == [UNKNOWN, UNREADABLE, UNKNOWN, UNKNOWN]
    assert changed.facts(1) == BAD
    assert os.listdir(tmp_path / "deep") == ["index.npz"]


def test_lots_are_drawn_once_and_kept_until_another_seed_draws_or_a_file_comes(tmp_path: Path) -> None:
    names, file = ("1.png", os.fsdecode(b"\xff.png")), tmp_path / "index.npz"
    digests = [hashlib.sha256(b"7:1.png").digest(), hashlib.sha256(b"7:\xff.png").digest()]
    expected = [int.from_bytes(digest[:8], "big") for digest in digests]
    index = Index.of(entries(*names))
    assert index.ranks(7).tolist() == expected
    index.save(file)
    loaded = Index.load(file)
    assert loaded is not None
    kept = loaded.columns["rank"]
    assert loaded.ranks(7) is kept
    assert kept.tolist() == expected
    assert not loaded.changed
    assert Index.of(entries(*names, "2.png"), known=loaded).ranks(7).tolist()[:2] == expected
    assert loaded.ranks(8).tolist() != expected
    assert loaded.changed


@pytest.mark.parametrize("content", [b"", b"no index", b"PK\x03\x04 half"])
def test_a_damaged_index_is_made_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "index.npz").write_bytes(content)
    assert Index.load(tmp_path / "index.npz") is None
    assert Index.load(tmp_path / "gone.npz") is None


def test_the_fingerprint_changes_with_paths_sizes_and_versions() -> None:
    rows = np.array([0, 1])
    base = Index.of(entries("1.png", "2.png")).fingerprint(rows)
    assert Index.of(entries("1.png", "2.png")).fingerprint(rows) == base
    others = {
        Index.of(entries("1.png", "3.png")).fingerprint(rows),
        Index.of(entries("1.png", "2.png", version=2)).fingerprint(rows),
        Index.of(Entries([Entry("1.png", 5, 1), Entry("2.png", 6, 1)])).fingerprint(rows),
    }
    assert len(others | {base}) == 4


def test_a_second_start_opens_no_file(
    tmp_path: Path, write_photos: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_photos(*(f"photos/{label}/{number}.png" for label in "ab" for number in range(10)))
    kept = str(tmp_path / "kept")

    def fit() -> FolderData:
        data = FolderData(str(tmp_path / "photos"), test_fraction=0, cache_dir=kept)
        data.setup("fit")
        return data

    first = fit()
    file = index_file(Path(kept), first.source, "", first.max_pixels)
    assert file.is_file()
    monkeypatch.setattr(Folder, "read", None)
    assert list(fit().listing("train").paths) == list(first.listing("train").paths)
    monkeypatch.undo()
    (tmp_path / "photos" / "b" / "9.png").unlink()
    fit()
    known = Index.load(file)
    assert known is not None
    assert len(known) == 19
    changed = tmp_path / "photos" / "a" / "3.png"
    changed.write_bytes(b"broken")
    index = scan(first.source, "", IMAGE_EXTENSIONS, file)
    assert list(index.paths.take(index.unknown)) == ["a/3.png"]


def test_an_index_of_other_limits_is_another_file(tmp_path: Path) -> None:
    source = Folder(str(tmp_path))
    files = {index_file(tmp_path, source, inside, pixels) for inside in ("", "train") for pixels in (1, 2)}
    assert len(files) == 4
