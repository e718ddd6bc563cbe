"""A run whose folder was carried elsewhere, and a checkpoint without its run: no foreign image is scored unsaid."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import CPU, TINY
from vitcli.__main__ import main

WORDS = ["--trainer.max_epochs=1", "--report.write=false", *TINY, *CPU]


@pytest.fixture
def trained(
    here: Path, write_photos: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Path:
    """Twenty photos and a run of the first of five folds; the folder ``away`` is where it is used."""
    for first, name in enumerate(("cat", "dog")):
        write_photos(*(f"photos/{name}/{number}.png" for number in range(10)), first=100 * first, size=(20, 20))
    assert main(["fit", "photos", "--data.folds=5", "--data.fold=1", "--run.name=run", *WORDS]) == 0
    shutil.copytree("runs/run", "away/run")
    shutil.copy("runs/run/checkpoints/best.ckpt", "away/lone.ckpt")
    monkeypatch.chdir("away")
    capsys.readouterr()
    return here


@pytest.mark.parametrize("verb", ["validate", "test", "fit"])
def test_a_checkpoint_without_its_run_tells_that_its_training_images_are_not_known(
    verb: str, trained: Path, capsys: pytest.CaptureFixture[str]
):
    split = {"validate": "val", "test": "test", "fit": "val"}[verb]
    words = ["--data.root", "../photos", *CPU, *(["--trainer.max_epochs=2"] if verb == "fit" else [])]
    assert main([verb, "--ckpt_path", "lone.ckpt", *words]) == 0
    told = capsys.readouterr().out
    assert "lone.ckpt: lies in no run's folder, whose splits.csv would say which images it was trained on" in told
    assert f"; some may be in {split} now" in told


def test_it_tells_nothing_of_images_that_are_divided_as_then_or_that_the_user_has_divided(
    trained: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["--ckpt_path", "lone.ckpt", "--data.root", "../photos", *CPU]
    assert main(["validate", *words, "--data.folds=5", "--data.fold=1"]) == 0
    shutil.copytree("../photos", "../divided/test")
    assert main(["test", "--ckpt_path", "lone.ckpt", "--data.root", "../divided", *CPU]) == 0
    assert "lies in no run's folder" not in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["validate", "test", "fit"])
def test_a_root_of_the_runs_config_that_is_not_there_is_told_as_that(
    verb: str, trained: Path, capsys: pytest.CaptureFixture[str]
):
    assert main([verb, "--ckpt_path", "run", *CPU]) == 2
    told = (
        "data.root photos: is not there, where run/config.yaml has the images; say where they are now with --data.root"
    )
    assert capsys.readouterr().err == f"vitcli {verb}: error: {told}\n"
    # what was typed is told as it was typed
    assert main([verb, "--ckpt_path", "run", "--data.root", "nowhere", *CPU]) == 2
    assert "data.root nowhere: no such folder" in capsys.readouterr().err


def test_other_images_that_lie_where_the_config_says_are_neither_scored_nor_trained_on(
    trained: Path, write_photos: Callable[..., None], capsys: pytest.CaptureFixture[str]
):
    write_photos(
        *(f"away/photos/{name}/new{n}.png" for name in ("cat", "dog") for n in range(9)), first=500, size=(20, 20)
    )
    before = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    for words in (["validate"], ["test"], ["fit", "--trainer.max_epochs=2"]):
        assert main([*words, "--ckpt_path", "run", *CPU]) == 2
        assert "data.root photos: holds none of the images of run, whose config names it" in capsys.readouterr().err
    assert before == {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    # named, they are what is meant
    assert main(["test", "--ckpt_path", "run", "--data.root", "photos", *CPU]) == 0


def test_a_fit_that_goes_on_and_is_stopped_leaves_no_scores_of_earlier_weights(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    assert main(["validate", "run", "../photos", "--predictions.features", "true", *CPU]) == 0
    table = Path("run/predictions.val.csv").read_text()
    features = Path("run/predictions.val.csv.features.npy").read_bytes()
    words = ["fit", "--ckpt_path", "run", "--data.root", "../photos", "--trainer.max_epochs=2", *CPU]
    with monkeypatch.context() as patched:
        patched.setattr("vitcli.cli.trainer.ending.score_best", stopped)
        assert main(words) == 130
    assert Path("run/predictions.val-1.csv").read_text() == table
    assert Path("run/predictions.val-1.csv.features.npy").read_bytes() == features
    left = {path.name for path in Path("run").iterdir()}
    assert left.isdisjoint({"predictions.val.csv", "metrics.val.json", "finished.json"})
    assert main(["evaluate", "run"]) == 2
    capsys.readouterr()
    assert main([*words, "--run.resume=auto", "--run.name=run", "--run.dir=."]) == 0
    assert main(["evaluate", "run"]) == 0


def test_images_that_are_divided_by_folders_are_known_by_name_or_content(
    here: Path, write_photos: Callable[..., None], capsys: pytest.CaptureFixture[str]
):
    for first, (split, name) in enumerate(itertools.product(("train", "val"), ("cat", "dog"))):
        write_photos(*(f"photos/{split}/{name}/{n}.png" for n in range(4)), first=100 * first, size=(20, 20))
        write_photos(*(f"other/{split}/{name}/new{n}.png" for n in range(4)), first=1000 + 100 * first, size=(20, 20))
    assert main(["fit", "photos", "--run.name=run", *WORDS]) == 0
    for path in list(Path("photos").rglob("*.png")):
        path.rename(path.with_name(f"renamed{path.name}"))
    assert main(["validate", "--ckpt_path", "runs/run", *CPU]) == 0
    shutil.rmtree("photos")
    shutil.move("other", "photos")
    capsys.readouterr()
    assert main(["validate", "--ckpt_path", "runs/run", *CPU]) == 2
    assert "data.root photos: holds none of the images of runs/run" in capsys.readouterr().err


def test_what_a_run_was_trained_on_stays_known_whatever_its_table_says_later(
    here: Path, write_photos: Callable[..., None], capsys: pytest.CaptureFixture[str]
):
    for first, name in enumerate(("cat", "dog")):
        write_photos(*(f"{name}/{number}.png" for number in range(9)), first=100 * first, size=(20, 20))

    def write(*splits: str) -> None:
        rows = [f"{name}/{n}.png,{name},{splits[n // 3]}" for name in ("cat", "dog") for n in range(9)]
        Path("table.csv").write_text("\n".join(["path,label,split", *rows]))

    write("train", "val", "test")
    assert main(["fit", "table.csv", "--run.name=run", *WORDS]) == 0
    write("val", "train", "test")
    told = "the run was trained on 6 val images, such as cat/0.png; scores will be too good"
    capsys.readouterr()
    assert main(["fit", "--ckpt_path=runs/run", "--trainer.max_epochs=2"]) == 0
    assert told in capsys.readouterr().out
    # and now on all of them
    write("test", "test", "val")
    assert main(["test", "runs/run"]) == 0
    assert "the run was trained on 12 test images" in capsys.readouterr().out
