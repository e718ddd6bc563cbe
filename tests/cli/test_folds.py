"""Folds and groups through the real program: names of runs, what they keep, what check finds, what is refused."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from tests.conftest import CPU, REPOSITORY, TINY, photo
from vitcli.__main__ import main
from vitcli.run import default_name

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
FAST = [*TINY, *CPU, "--trainer.max_epochs", "1", "--data.batch_size", "8"]


def division(run: Path) -> dict[str, str]:
    with (run / "splits.csv").open(newline="") as file:
        return {row["path"]: row["split"] for row in csv.DictReader(file)}


@pytest.mark.slow
def test_the_readmes_folds_are_runs_that_share_no_val_image_and_keep_to_it(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = re.search(r"^\$ for fold in ([0-9 ]+); do vitcli (.+); done; vitcli (.+)$", README, re.MULTILINE)
    assert loop is not None
    (photos / "train").rename("train")
    photos.rename("split")
    Path("train").rename("photos")
    runs = [Path(f"runs/photos-fold{fold}") for fold in loop[1].split()[:2]]
    for fold in loop[1].split()[:2]:
        assert main([*loop[2].replace("$fold", fold).split(), *FAST]) == 0
    vals = [{path for path, split in division(run).items() if split == "val"} for run in runs]
    assert (len(vals[0]), len(vals[1]), len(vals[0] | vals[1])) == (5, 5, 10)
    verb, pattern = loop[3].split()
    assert sorted(Path().glob(pattern)) == runs
    capsys.readouterr()
    assert main([verb, *map(str, runs)]) == 0
    assert "10 images" in capsys.readouterr().out
    # later images, a resumed training and other commands move nothing
    photo(1, (32, 24)).save("photos/circle/new.png")
    before = division(runs[1])
    again = [*loop[2].replace("$fold", "2").split(), "--ckpt_path", "last"]
    assert main([*again, "--trainer.max_epochs", "2", *CPU]) == 0
    after = division(runs[1])
    assert after.keys() - before.keys() == {"circle/new.png"}
    assert {**after, **before} == after
    capsys.readouterr()
    assert main(["test", str(runs[1]), *CPU]) == 0
    out = capsys.readouterr().out
    assert "no test images: testing on val" in out
    with (runs[1] / "predictions.test.csv").open(newline="") as file:
        tested = {row["path"] for row in csv.DictReader(file)}
    assert tested == {path for path, split in after.items() if split == "val"}
    assert main(["validate", str(runs[0]), "--data.fold", "2", *CPU]) == 2
    said = "data.fold 2: runs/photos-fold1/splits.csv says already which split each image is in; leave it out"
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("configs", "root", "fold", "name"),
    [
        (["configs/folder.yaml"], "photos", 3, "folder-fold3"),
        ([], "photos/", 12, "photos-fold12"),
        (["runs/folder-fold1/config.yaml"], None, 2, "folder-fold2"),
        (["runs/folder-fold1-2/config.yaml"], None, 2, "folder-fold2"),
        (["configs/folder.yaml"], "photos", None, "folder"),
    ],
)
def test_a_run_that_is_given_no_name_is_named_after_its_fold(
    configs: list[str], root: str | None, fold: int | None, name: str
) -> None:
    assert default_name(configs, root, fold) == name


def test_a_fold_in_a_config_names_the_run_too(photos: Path) -> None:
    Path("mine.yaml").write_text("data: {class_path: FolderData, init_args: {root: photos/train, folds: 3, fold: 2}}\n")
    assert main(["fit", "--config", "mine.yaml", *FAST, "--trainer.max_steps", "1"]) == 0
    assert (Path("runs") / "mine-fold2" / "checkpoints" / "last.ckpt").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--data.folds", "5"], "data.folds 5: which of them is val?"),
        (["--data.fold", "x", "--data.folds", "5"], "data.fold x"),
        (["--data.folds", "5", "--data.fold", "1", "--data.val_fraction", "0.2"], "data.val_fraction 0.2: acts beside"),
        (["--data.group_pattern", "zebra"], "data.group_pattern zebra: finds nothing in any of 24 paths, such as"),
    ],
)
def test_what_cannot_be_is_one_line_before_anything_is_written(
    words: list[str], said: str, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "photos/train", *words, *FAST]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert said in told
    assert not list(Path("runs").glob("[!.]*"))


def test_check_finds_a_group_in_two_splits(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    animals = {"train": "aabb", "val": "cca", "test": "dd"}
    number = 0
    for split, names in animals.items():
        for label in ("cat", "dog"):
            for name in names:
                file = here / "photos" / split / label / f"{label}-{name}_{number}.jpg"
                file.parent.mkdir(parents=True, exist_ok=True)
                photo(number, (120, 90)).save(file)
                number += 1
    assert main(["check", "photos"]) == 0
    assert main(["check", "photos", "--data.group_pattern", "(.+)_[0-9]+[.]jpg$"]) == 3
    found = json.loads(Path("runs/check-photos/check.json").read_text())
    kinds = {finding["kind"]: finding for finding in found["findings"]}
    assert kinds.keys() == {"group leak"}
    assert len(kinds["group leak"]["images"]) == 2
    assert {image["split"] for image in kinds["group leak"]["images"][0]} == {"train", "val"}
    assert found["quarantine"] == {}
    assert "2 groups in several splits, such as 'cat/cat-a'" in capsys.readouterr().out
