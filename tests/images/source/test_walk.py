"""Files are found in the same order everywhere, and nothing is entered that should not be."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from vitcli.errors import DataError
from vitcli.images.source.walk import IMAGE_EXTENSIONS, check_folder, find_files, find_folders


def test_only_images_are_found_and_the_rest_is_counted(tmp_path: Path, write_images: Callable[..., None]) -> None:
    write_images("a/1.png", "a/b/2.JPG", ".hidden/3.png", "__MACOSX/4.png", "@eaDir/5.png", ".ipynb_checkpoints/6.png")
    (tmp_path / "a" / "notes.txt").touch()
    (tmp_path / "a" / "clip.mp4").touch()
    (tmp_path / "a" / "._1.png").touch()
    os.mkfifo(tmp_path / "a" / "pipe.png")
    found, left_out = find_files(tmp_path, extensions=IMAGE_EXTENSIONS)
    assert sorted(entry.path for entry in found) == ["a/1.png", "a/b/2.JPG"]
    assert left_out == {
        "hidden or system folder": 4,
        "hidden file": 1,
        "no image by its extension '.txt'": 1,
        "no image by its extension '.mp4'": 1,
        "not a regular file": 1,
    }


def test_without_endings_every_file_is_found(tmp_path: Path, write_images: Callable[..., None]) -> None:
    write_images("a/1.png", "@eaDir/5.png")
    (tmp_path / "notes").touch()
    (tmp_path / ".hidden.jpg").touch()
    found, left_out = find_files(tmp_path)
    assert sorted(entry.path for entry in found) == [".hidden.jpg", "a/1.png", "notes"]
    assert left_out == {"hidden or system folder": 1}


def test_links_are_left_out_unless_asked_for_and_then_lead_to_each_file_once(
    tmp_path: Path, write_images: Callable[..., None]
) -> None:
    write_images("a/1.png", "elsewhere/2.png")
    (tmp_path / "a" / "same.png").symlink_to(tmp_path / "a" / "1.png")
    (tmp_path / "a" / "broken.png").symlink_to(tmp_path / "gone.png")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "a" / "other").symlink_to(tmp_path / "elsewhere")
    found, left_out = find_files(tmp_path, inside="a", extensions=IMAGE_EXTENSIONS)
    assert [entry.path for entry in found] == ["a/1.png"]
    assert left_out == {"link": 4}
    assert find_folders(str(tmp_path / "a")) == []
    found, left_out = find_files(tmp_path, inside="a", extensions=IMAGE_EXTENSIONS, follow_links=True)
    assert len(found) == 2
    assert {os.path.realpath(tmp_path / entry.path) for entry in found} == {
        str(tmp_path / "a" / "1.png"),
        str(tmp_path / "elsewhere" / "2.png"),
    }
    assert left_out == {"broken link": 1, "link to a file or folder listed already": 2}
    assert find_folders(str(tmp_path / "a"), follow_links=True) == ["loop", "other"]


def test_a_name_that_is_not_utf_8_survives(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/\xff\xfe.png", "wb"):
        pass
    (entry,), _ = find_files(tmp_path)
    assert os.fsencode(entry.path) == b"\xff\xfe.png"


def test_a_deep_tree_is_found_without_recursion(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(300):
        folder = folder / "d"
    folder.mkdir(parents=True)
    (folder / "1.png").touch()
    assert [entry.path for entry in find_files(tmp_path)[0]] == ["d/" * 300 + "1.png"]


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(
        DataError, match=r"^data.root .*: cannot be listed \(Permission denied\); check its permissions$"
    ):
        find_files(tmp_path)


def test_a_missing_root_and_a_file_as_root_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"^data.root \S+/gone: no such folder; check the path"):
        check_folder(str(tmp_path / "gone"))
    with pytest.raises(DataError, match=r"^data.root \S+/file: is a file, not a folder; name the folder"):
        check_folder(str(tmp_path / "file"))
    (tmp_path / "a.tar.gz").touch()
    with pytest.raises(DataError, match=r"a.tar.gz: is a file, not a folder; a compressed tar has to be unpacked, or"):
        check_folder(str(tmp_path / "a.tar.gz"))


def test_no_bar_is_drawn_where_stderr_is_no_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "1.png").touch()
    find_files(tmp_path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["labels.csv", "labels.parquet", "LABELS.JSONL"])
def test_a_table_as_root_names_the_data_that_reads_it(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(DataError, match=r"^data.root \S+: is a table, not a folder; say --data ManifestData"):
        check_folder(str(tmp_path / name))
