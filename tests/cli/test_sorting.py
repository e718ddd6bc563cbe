"""predict sorts images into folders by predicted class: links or copies, nothing moved, nothing overwritten."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.conftest import CPU, photo
from vitcli.__main__ import main
from vitcli.predictions.sorting import MARK, Sorting
from vitcli.table.rows import read_rows


def predict(run: Path, *words: str, code: int = 0) -> None:
    assert main(["predict", str(run), *words, *CPU]) == code


def held(folder: Path) -> dict[str, bytes | str]:
    """What lies in a folder: targets of links, contents of files, with the time of the last change of each."""
    files = sorted(path for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    return {
        str(path.relative_to(folder)): os.readlink(path) if path.is_symlink() else path.read_bytes() for path in files
    }


def images(found: Iterable[str]) -> list[str]:
    return sorted(name for name in found if name != MARK)


@pytest.fixture
def odd(copied: Path) -> Path:
    """Some drawn pictures, two of one name, one unreadable; the run."""
    for number in range(3):
        for kind in ("circle", "square"):
            Path("odd", kind).mkdir(parents=True, exist_ok=True)
            shutil.copy(f"photos/test/{kind}/{number:04}.png", f"odd/{kind}/{number}.png")
    Path("odd/none.png").write_bytes(b"no picture")
    return copied


@pytest.mark.parametrize("by", ["link", "copy"])
def test_images_are_sorted_by_class_and_nothing_changes_the_second_time(
    odd: Path, by: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = held(Path("odd"))
    predict(odd, "odd", "--predictions.path", "plain.csv")
    middle = sorted(row.confidence for row in read_rows(Path("plain.csv")) if row.confidence is not None)[3]
    capsys.readouterr()
    words = ["odd", "--predictions.sort_into", "sorted", "--predictions.unsure_below", str(middle)]
    words += ["--predictions.sort_by", by] if by == "copy" else []
    predict(odd, *words)
    said = capsys.readouterr().out
    found = held(Path("sorted"))
    wanted = {}
    for row in read_rows(odd / "predictions.csv"):
        unsure = row.confidence is not None and row.confidence < middle
        folder = "unreadable" if row.status == "error" else "unsure" if unsure else row.predicted
        wanted[f"{folder}/{row.path.replace('/', '__')}"] = (
            str(Path("odd", row.path).absolute()) if by == "link" else Path("odd", row.path).read_bytes()
        )
    assert {name: found[name] for name in images(found)} == wanted
    assert len(wanted) == 7
    assert "unreadable/none.png" in wanted
    assert "sorted into sorted: " in said
    assert "unsure 3" in said
    inodes = {path: path.lstat().st_ino for path in Path("sorted").rglob("*")}
    predict(odd, *words)
    assert held(Path("sorted")) == found
    assert {path: path.lstat().st_ino for path in Path("sorted").rglob("*")} == inodes
    assert held(Path("odd")) == before


def test_new_images_join_those_that_are_sorted(odd: Path) -> None:
    predict(odd, "odd", "--predictions.sort_into", "sorted")
    first = held(Path("sorted"))
    photo(5).save("odd/5.png")
    predict(odd, "odd", "--predictions.sort_into", "sorted")
    now = held(Path("sorted"))
    assert first.items() <= now.items()
    assert len(now) == len(first) + 1


@pytest.mark.slow
def test_what_is_there_under_the_name_stays_and_the_image_has_another(
    odd: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["odd/circle", "--predictions.sort_into", "sorted"]
    predict(odd, *words)
    (name,) = [name for name in held(Path("sorted")) if name.endswith("/1.png")]
    Path("sorted", name).unlink()
    Path("sorted", name).write_text("mine")
    predict(odd, *words)
    assert Path("sorted", name).read_text() == "mine"
    other = next(path for path in Path("sorted", name).parent.glob("1-*.png"))
    assert os.readlink(other) == str(Path("odd/circle/1.png").absolute())
    other.unlink()
    other.write_text("mine too")
    capsys.readouterr()
    predict(odd, *words)
    assert "1 image not sorted: other files have their names in sorted" in capsys.readouterr().out
    assert other.read_text() == "mine too"


def test_images_in_an_archive_are_written_out_and_several_roots_named_apart(odd: Path) -> None:
    shutil.make_archive("packed", "zip", "odd/circle")
    predict(odd, "packed.zip", "odd/square", "--predictions.sort_into", "sorted")
    found = held(Path("sorted"))
    by_name = {name.partition("/")[2]: value for name, value in found.items() if name != MARK}
    assert by_name["packed.zip__1.png"] == Path("odd/circle/1.png").read_bytes()
    assert by_name["odd__square__1.png"] == str(Path("odd/square/1.png").absolute())
    assert len(by_name) == 6


def test_hostile_names_of_files_stay_in_the_folder(copied: Path) -> None:
    Path("odd").mkdir()
    names = ["a\nb.png", "-rf.png", os.fsdecode(b"\xff.png"), " .png", "CON.png", "x" * 250 + ".png", "a__b.png"]
    for number, name in enumerate(names):
        photo(number).save(f"{number}.png")
        Path(f"{number}.png").rename(Path("odd", name))
    Path("outside.png").write_bytes(b"no picture")
    Path("list.txt").write_text("odd/../outside.png\nodd/-rf.png\n")
    for root in ("odd", "list.txt"):
        predict(copied, root, "--predictions.sort_into", f"sorted-{root}", "--predictions.sort_by", "copy")
        found = images(held(Path(f"sorted-{root}")))
        assert len(found) == (len(names) if root == "odd" else 2)
        assert all(name.isprintable() and len(name.split("/")) == 2 for name in found)


def test_an_interrupted_command_sorts_all_when_it_goes_on(odd: Path) -> None:
    predict(odd, "odd", "--predictions.sort_into", "whole", "--data.batch_size", "2")
    from vitcli.train.output.predictions import PredictionWriter

    words = ["odd", "--predictions.sort_into", "sorted", "--predictions.path", "new.csv", "--data.batch_size", "2"]
    write, batches = PredictionWriter._write, []

    def stop(self, *arguments):
        batches.append(1)
        if len(batches) == 3:
            raise KeyboardInterrupt
        write(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PredictionWriter, "_write", stop)
        predict(odd, *words, code=130)
    assert not Path("sorted").exists()
    predict(odd, *words)
    assert images(held(Path("sorted"))) == images(held(Path("whole")))


@pytest.mark.slow
def test_what_cannot_be_sorted_is_refused_before_anything_is_predicted(
    odd: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine").mkdir()
    Path("mine/letter.txt").write_text("dear")
    Path("file").touch()
    predict(odd, "odd", "--predictions.sort_into", "sorted", "--predictions.path", "first.csv")
    capsys.readouterr()
    for words, told in [
        (["odd", "--predictions.sort_into", "odd/sorted"], "lies among the images"),
        (["odd", "--predictions.sort_into", "mine"], "is not empty, and nothing in it was sorted by vitcli"),
        (["odd", "--predictions.sort_into", "file"], "is no folder in which"),
        (["odd", "--predictions.sort_into", "sorted", "--predictions.tta", "flip"], "with other predictions.tta"),
        (["photos", "--predictions.sort_into", "sorted"], "sorted with other data.root"),
        (["odd", "--predictions.sort_by", "copy"], "sort_by copy: acts not beside predictions.sort_into null"),
        (["odd", "--predictions.unsure_below", "0.5"], "acts not beside predictions.sort_into null"),
        (["odd", "--predictions.sort_into", "new", "--predictions.unsure_below", "2"], "unsure_below 2: outside"),
        (["--data", "ShapesData", "--predictions.sort_into", "new"], "these images are no files"),
    ]:
        predict(odd, *words, code=2)
        error = capsys.readouterr().err
        assert told in error, error
        assert error.count("\n") == 1
    assert main(["test", str(odd), "--predictions.sort_into", "new", *CPU]) == 2
    assert "test sorts no images" in capsys.readouterr().err
    assert not Path("new").exists()
    assert not (odd / "predictions.csv").exists()


def test_a_disk_without_links_is_told_to_take_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    with pytest.raises(ValueError, match=r"takes no links \(Operation not permitted\); say --predictions.sort_by copy"):
        Sorting(tmp_path / "sorted")._begin({})
