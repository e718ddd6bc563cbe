"""A folder that would be among the images the next time is known before."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitcli.images.sorting.inside import is_inside


@pytest.mark.parametrize(
    ("root", "folder", "inside"),
    [
        ("photos", "photos", True),
        ("photos", "photos/sorted", True),
        ("photos", "photos/../photos/new/sorted", True),
        ("photos", "photos2", False),
        ("photos", "sorted", False),
        ("photos/deep", "photos", False),
        ("link", "photos/sorted", True),
        ("photos/a.jpg", "photos", False),
        ("packed.zip", "packed", False),
        ("*.jpg", "sorted", False),
        ("photos/*.jpg", "photos/sorted", False),
        ("photos/*", "photos/sorted", True),
        ("photos/*/*.jpg", "photos/sorted", False),
        ("photos/*/*.jpg", "photos", True),
        ("photos/*/*/*.jpg", "photos/sorted", True),
        ("**/*.jpg", "sorted", True),
        ("photos/**/*.png", "sorted", False),
        ("pho*", "photos/sorted", True),
    ],
)
def test_a_folder_is_among_the_images(here: Path, root: str, folder: str, inside: bool) -> None:
    (here / "photos/deep").mkdir(parents=True)
    (here / "photos/a.jpg").touch()
    (here / "packed.zip").touch()
    (here / "link").symlink_to("photos")
    assert is_inside(Path(folder), [root]) == inside
    assert is_inside(here / folder, ["packed.zip", root]) == inside
