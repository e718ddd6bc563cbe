"""predict and check take several images, folders, archives and patterns, and each file has one row."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path

import pytest
import yaml

from tests.conftest import CPU
from vitcli.__main__ import main
from vitcli.cli.trainer.positional import with_options
from vitcli.errors import ConfigError

RUN = "runs/photos"
TESTED = [
    f"photos/test/{kind}/000{number}.png" for kind, count in (("circle", 4), ("square", 3)) for number in range(count)
]


def predicted(*words: str) -> list[str]:
    """The paths of the table of a predict that succeeds."""
    Path(RUN, "predictions.csv").unlink(missing_ok=True)
    assert main(["predict", *words, *CPU]) == 0
    with Path(RUN, "predictions.csv").open(newline="", encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    assert all(row["status"] == "ok" for row in rows)
    return [row["path"] for row in rows]


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The line of a command that is refused."""
    capsys.readouterr()
    assert main(words) == 2
    [line] = capsys.readouterr().err.splitlines()
    return line


def test_images_folders_and_archives_are_one_table_of_paths_as_named(copied: Path) -> None:
    shutil.make_archive("more", "zip", "photos/val")
    found = predicted(RUN, "photos/test/square/0000.png", "more.zip", "photos/test/circle/")
    assert found == [
        *(f"more.zip/{kind}/000{number}.png" for kind in ("circle", "square") for number in range(4)),
        *(path for path in TESTED if "circle" in path),
        "photos/test/square/0000.png",
    ]


@pytest.mark.slow
def test_a_quoted_pattern_gives_the_table_of_the_shells(copied: Path) -> None:
    assert predicted("--ckpt_path", RUN, "--data.root", "photos/test/**/*.png") == TESTED
    assert predicted(RUN, "photos/test/*/*.png") == TESTED
    # a shell names them in another order
    assert predicted(RUN, *reversed(TESTED)) == TESTED
    assert predicted("--ckpt_path", RUN, "--data.root", *TESTED) == TESTED


def test_a_list_in_yaml_and_in_a_config_are_several_too(copied: Path) -> None:
    assert predicted("--ckpt_path", RUN, "--data.root", f"[{TESTED[0]}, {TESTED[6]}]") == [TESTED[0], TESTED[6]]
    Path("two.yaml").write_text(
        yaml.safe_dump({"data": {"class_path": "UnlabelledData", "init_args": {"root": TESTED}}})
    )
    assert predicted("--ckpt_path", RUN, "--config", "two.yaml") == TESTED


def test_a_file_that_is_named_twice_has_one_row_and_it_is_told(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.symlink(TESTED[0], "again.png")
    assert predicted(RUN, "photos/test", *TESTED[:2], "again.png") == TESTED
    assert "3 files named more than once: one row each" in capsys.readouterr().out


def test_odd_names_are_taken_literally(copied: Path) -> None:
    names = ["[a].png", "a*.png", "a: b.png", os.fsdecode(b"\xff.png")]
    for name in names:
        shutil.copy(TESTED[0], name)
    # in the table, bytes that are no UTF-8 are escaped
    assert predicted(RUN, *names) == ["[a].png", "a*.png", "a: b.png", "\\udcff.png"]
    for name in names:
        assert predicted(RUN, name) == [name.encode("utf-8", "backslashreplace").decode()]


@pytest.mark.slow
def test_thousands_of_words_are_fine(copied: Path) -> None:
    Path("many").mkdir()
    for number in range(2000):
        os.link(TESTED[0], f"many/a_name_as_long_as_those_of_cameras_{number:05d}.png")
    assert len(predicted(RUN, *map(str, Path("many").iterdir()))) == 2000


def test_a_saved_config_names_the_same_images(copied: Path) -> None:
    predicted(RUN, *TESTED)
    shutil.copy(Path(RUN, "config.predict.yaml"), "saved.yaml")
    assert predicted("--config", "saved.yaml", "--ckpt_path", RUN) == TESTED


def test_one_that_is_missing_and_a_pattern_without_a_match_are_a_line(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = f"(now in {Path.cwd()})"
    assert refused(["predict", RUN, TESTED[0], "gone.png", *CPU], capsys) == (
        f"vitcli predict: error: data.root gone.png: no such file or folder; check the path {where}"
    )
    assert refused(["predict", RUN, "photos/*.gif", *CPU], capsys) == (
        f"vitcli predict: error: data.root photos/*.gif: matches nothing; check the pattern {where}"
    )


def test_what_takes_one_path_says_so(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(["predict", RUN, "photos/val", "photos/test", "--data", "FolderData", *CPU], capsys)
    assert "data.root photos/val photos/test: FolderData takes one path; only UnlabelledData takes several" in line
    line = refused(["fit", "photos/*"], capsys)
    assert "data.root photos/*: no such folder; only UnlabelledData takes patterns" in line
    with pytest.raises(ConfigError, match=r"^1 2 3 4 5 and 94 more: fit takes one path, of images"):
        with_options("fit", [str(number) for number in range(1, 100)])
    with pytest.raises(ConfigError, match=r"^a b c: test takes a checkpoint or a run, and then a path"):
        with_options("test", ["a", "b", "c"])


def test_check_takes_several_as_images_without_labels(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(TESTED[0], "again.png")
    for words in (["photos/test", "again.png"], ["photos/test/**/*.png", "again.png"]):
        assert main(["check", *words]) == 3
        told = capsys.readouterr().out
        assert ": 8 images" in told
        assert "duplicate" in told
        assert "runs/check-several/check.json" in told
