"""Are files found in the same order everywhere, and is nothing entered that should not be?"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from vitcli.data.files import IMAGE_EXTENSIONS, check_folder, find_files, find_folders, natural_order
from vitcli.errors import DataError


def test_digits_compare_as_numbers_folder_by_folder() -> None:
    paths = ["b/1.jpg", "a10.jpg", "A2.jpg", "a/10/x.jpg", "a/9/x.jpg", "a02.jpg", "a.jpg", "10.jpg", "9.jpg"]
    expected = ["9.jpg", "10.jpg", "a/9/x.jpg", "a/10/x.jpg", "A2.jpg", "a02.jpg", "a10.jpg", "a.jpg", "b/1.jpg"]
    assert sorted(paths, key=natural_order) == expected
    paths.reverse()
    assert sorted(paths, key=natural_order) == expected


def test_only_images_are_found_and_the_rest_is_counted(tmp_path: Path, write_images: Callable[..., None]) -> None:
    write_images("a/1.png", "a/b/2.JPG", ".hidden/3.png", "__MACOSX/4.png", "@eaDir/5.png", ".ipynb_checkpoints/6.png")
    (tmp_path / "a" / "notes.txt").touch()
    (tmp_path / "a" / "clip.mp4").touch()
    (tmp_path / "a" / "._1.png").touch()
    assert find_files(tmp_path, extensions=IMAGE_EXTENSIONS) == (["a/1.png", "a/b/2.JPG"], 2)


def test_without_endings_every_file_is_found(tmp_path: Path, write_images: Callable[..., None]) -> None:
    write_images("a/1.png", "@eaDir/5.png")
    (tmp_path / "notes").touch()
    (tmp_path / ".hidden.jpg").touch()
    assert find_files(tmp_path) == ([".hidden.jpg", "a/1.png", "notes"], 0)


def test_links_to_files_are_followed_and_links_to_folders_are_not(
    tmp_path: Path, write_images: Callable[..., None]
) -> None:
    write_images("a/1.png")
    (tmp_path / "a" / "2.png").symlink_to(tmp_path / "a" / "1.png")
    (tmp_path / "a" / "broken.png").symlink_to(tmp_path / "gone.png")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    assert find_files(tmp_path, extensions=IMAGE_EXTENSIONS) == (["a/1.png", "a/2.png"], 2)
    assert find_folders(str(tmp_path / "a")) == []


def test_a_name_that_is_not_utf_8_survives(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/\xff\xfe.png", "wb"):
        pass
    (path,), _ = find_files(tmp_path)
    assert os.fsencode(path) == b"\xff\xfe.png"


def test_a_deep_tree_is_found_without_recursion(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(300):
        folder = folder / "d"
    folder.mkdir(parents=True)
    (folder / "1.png").touch()
    assert find_files(tmp_path)[0] == ["d/" * 300 + "1.png"]


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(
        DataError, match=r"^data.root .*: cannot be listed \(Permission denied\) - check its permissions$"
    ):
        find_files(tmp_path)


def test_a_missing_root_and_a_file_as_root_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"^data.root \S+/gone: no such folder - check the path"):
        check_folder(str(tmp_path / "gone"))
    with pytest.raises(DataError, match=r"^data.root \S+/file: is a file, not a folder - name the folder"):
        check_folder(str(tmp_path / "file"))


def test_no_bar_is_drawn_where_stderr_is_no_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "1.png").touch()
    find_files(tmp_path)
    assert capfd.readouterr() == ("", "")
