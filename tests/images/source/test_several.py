"""Several folders, archives and files are one source, in which each file is once and under the path that was named."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from vitcli.errors import DataError
from vitcli.images.decode.picture import UnreadableImage
from vitcli.images.index.index import Index, index_file
from vitcli.images.source.several import NAMED_AGAIN, Several
from vitcli.images.source.walk import IMAGE_EXTENSIONS


@pytest.fixture
def tree(here: Path, write_images: Callable[..., None]) -> Path:
    write_images("p/1.png", "p/in/2.png", "q/3.png", "4.png")
    with zipfile.ZipFile("p/z.zip", "w") as packed:
        packed.write("q/3.png", "inside/3.png")
    return here


def paths(source: Several) -> list[str]:
    return list(source.files()[0].paths)


def test_each_file_is_under_the_path_that_was_named_and_is_read_by_it(tree: Path) -> None:
    source = Several(["p/in/", "./q", "4.png", "p/z.zip", str(tree / "p" / "1.png")])
    found = paths(source)
    assert found == ["p/in/2.png", "./q/3.png", "4.png", "p/z.zip/inside/3.png", str(tree / "p" / "1.png")]
    for path, file in zip(found, ["p/in/2.png", "q/3.png", "4.png", "q/3.png", "p/1.png"], strict=True):
        assert source.read(path) == Path(file).read_bytes()
    # to a worker process
    assert pickle.loads(pickle.dumps(source)).read("p/z.zip/inside/3.png") == Path("q/3.png").read_bytes()


def test_a_file_to_which_two_paths_lead_is_once_under_the_first(tree: Path) -> None:
    (tree / "link.png").symlink_to(tree / "4.png")
    entries, left_out = Several(["4.png", "p", "p/in", "p/1.png", "./4.png", "link.png", "p"]).files()
    assert sorted(entries.paths) == ["4.png", "p/1.png", "p/in/2.png", "p/z.zip"]
    assert left_out[NAMED_AGAIN] == 7


def test_an_archive_that_is_named_is_no_file_of_its_folder(tree: Path) -> None:
    assert sorted(paths(Several(["p", "p/z.zip"]))) == ["p/1.png", "p/in/2.png", "p/z.zip/inside/3.png"]


def test_links_in_a_folder_are_followed_once_if_asked(tree: Path) -> None:
    (tree / "q" / "to").symlink_to(tree / "p" / "in")
    assert sorted(paths(Several(["p/in", "q"]))) == ["p/in/2.png", "q/3.png"]
    assert sorted(paths(Several(["q", "p/in"], follow_links=True))) == ["q/3.png", "q/to/2.png"]


def test_a_link_to_nothing_has_a_place_and_cannot_be_read(tree: Path) -> None:
    (tree / "broken.png").symlink_to(tree / "gone.png")
    source = Several(["broken.png", "q"])
    assert paths(source) == ["broken.png", "q/3.png"]
    with pytest.raises(UnreadableImage, match="no such file"):
        source.read("broken.png")


def test_endings_are_looked_for_among_named_files_too(tree: Path) -> None:
    Path("notes.txt").touch()
    entries, left_out = Several(["notes.txt", "q"]).files("", IMAGE_EXTENSIONS)
    assert list(entries.paths) == ["q/3.png"]
    assert left_out["no image by its extension '.txt'"] == 1


def test_a_damaged_archive_is_named(tree: Path) -> None:
    Path("bad.zip").write_bytes(b"no zip")
    with pytest.raises(DataError, match=r"^data.root bad.zip: is damaged or no archive"):
        Several(["q", "bad.zip"])


def test_index_and_its_file_follow_from_the_list_alone(tree: Path) -> None:
    one, again, other = Several(["p", "q"]), Several(["p", "q"]), Several(["p", "4.png"])
    files = [index_file(tree / "kept", source, "", 1000) for source in (one, again, other)]
    assert files[0] == files[1] != files[2]
    indices = [Index.of(source.files()[0]) for source in (one, again, Several(["q", "p"]))]
    prints = [index.fingerprint(index.order) for index in indices]
    assert prints[0] == prints[1] == prints[2]
    Path("q/3.png").write_bytes(b"changed")
    changed = Index.of(one.files()[0])
    assert changed.fingerprint(changed.order) != prints[0]
