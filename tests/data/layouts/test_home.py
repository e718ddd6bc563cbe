"""A tilde is the home folder, in every setting of the data that names a place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vitcli.__main__ import main
from vitcli.data.layouts.folder import FolderData
from vitcli.data.layouts.manifest import ManifestData
from vitcli.data.layouts.unlabelled import UnlabelledData
from vitcli.images.index.quarantine import write_quarantine


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_images: Callable[..., None]) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_images("p/a/1.png", "p/b/2.png")
    return tmp_path


def test_root_cache_and_quarantine_may_begin_with_it(home: Path) -> None:
    write_quarantine(str(home / "bad.txt"), {"a/1.png": "bad"})
    data = FolderData("~/p", cache_dir="~/kept", quarantine="~/bad.txt")
    assert len(data.listing("train")) == 2
    assert data.kept_in == home / "kept"
    assert data.quarantined == {"a/1.png"}
    assert len(UnlabelledData("~/p").listing("predict")) == 2


def test_a_table_and_its_folder_may_begin_with_it(home: Path) -> None:
    (home / "t.csv").write_text("path,label\na/1.png,a\nb/2.png,b\n")
    data = ManifestData("~/t.csv", folder="~/p", val_fraction=0, test_fraction=0)
    assert data.listing("train").open(0).height > 0


def test_check_takes_it_for_all_its_places(home: Path, here: Path) -> None:
    assert main(["check", "~/p", "--out=~/out", "--quarantine=~/q.txt"]) in (0, 3)
    assert (home / "out" / "check.json").is_file()
    assert (home / "q.txt").is_file()
