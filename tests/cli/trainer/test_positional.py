"""Paths without an option before them mean what they are."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from tests.conftest import CPU, TINY
from vitcli.__main__ import main
from vitcli.cli.shipped import shipped
from vitcli.cli.trainer.positional import begins_with, with_options
from vitcli.errors import ConfigError


def test_fit_takes_a_folder_and_guesses_its_layout(photos: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["fit", "photos", "--trainer.max_epochs", "1", *TINY, *CPU]) == 0
    assert "run: runs/photos " in capsys.readouterr().out
    assert with_options("fit", ["photos", "--run.name", "x"]) == [
        "--data", "FolderData", "--data.root", "photos", "--run.name", "x",
    ]  # fmt: skip


def test_a_folder_alone_is_trained_on_as_the_config_folder_says(photos: Path, capsys: pytest.CaptureFixture[str]):
    def printed(*words: str) -> dict[str, object]:
        with pytest.raises(SystemExit):
            main(["fit", *words, "--print_config"])
        return yaml.safe_load(capsys.readouterr().out)

    assert printed("photos") == printed("--config", "folder", "--data.root", "photos")
    overlaid = ["--config", "model/linformer", "-c", str(shipped()["model/small"])]
    assert printed("photos", *overlaid) == printed("--config", "folder", *overlaid, "--data.root", "photos")
    labels = Path("labels.csv")
    labels.write_text("path,label\nphotos/train/circle/0000.png,circle\nphotos/train/square/0000.png,square\n")
    of_table = printed("labels.csv")
    assert of_table["data"]["class_path"] == "vitcli.data.ManifestData"
    assert of_table["model"]["net"] == printed("photos")["model"]["net"]
    # where something else says which net is trained, and how
    Path("own.yaml").write_text("model: {optimizer: {lr: 0.5}}\n")
    for word in ("--config=own.yaml", "--config=cats_dogs", "--weights=runs/a.ckpt", "--ckpt_path=last"):
        assert begins_with("fit", ["photos", word]) is None
    assert begins_with("fit", ["photos", "--weights", "timm:vit"]) == shipped()["finetune"]
    assert begins_with("fit", ["photos", "--weights", "null", "--ckpt_path=null"]) == shipped()["folder"]
    assert begins_with("fit", ["--data.root", "photos"]) is None
    assert begins_with("test", ["photos"]) is None


def test_class_folders_one_folder_below_are_told_where_they_are(photos: Path, capsys: pytest.CaptureFixture[str]):
    for kind in ("cat", "dog"):
        shutil.copytree(photos / "train" / "circle", Path("outer/pets") / kind)
    shutil.make_archive("pets", "tar", "outer")
    Path("nothing").mkdir()
    for root, told in {
        "outer": "only one class folder, pets/; did you mean --data.root outer/pets?",
        "pets.tar": "only one class folder, pets/; did you mean --data.splits '{train: pets}'?",
        "nothing": "no class folders in nothing; put the images of each class into a folder of its own",
    }.items():
        assert main(["fit", root, *TINY, *CPU]) == 2
        assert f"data.root {root}: {told}" in capsys.readouterr().err
    words = ["--data.splits", "{train: pets}"]
    assert main(["fit", "pets.tar", *words, "--trainer.max_epochs", "0", *TINY, *CPU]) == 0
    assert main(["check", "pets.tar", *words]) != 2
    flat = Path("mine/here")
    flat.mkdir(parents=True)
    for kind in ("cat", "dog"):
        shutil.copy(photos / "train" / "circle" / "0000.png", flat / f"{kind}.0.png")
    assert with_options("fit", ["mine", "--data.splits={train: here}"])[1] == "CatsDogsData"


def test_fit_takes_a_table(photos: Path):
    Path("labels.csv").write_text("path,label\nphotos/train/circle/0000.png,circle\n")
    assert with_options("fit", ["labels.csv"])[:2] == ["--data", "ManifestData"]


@pytest.mark.parametrize("words", [["--data", "FolderData"], ["--config", "folder"], ["--data=FolderData"]])
def test_a_layout_that_is_said_is_not_guessed(words: list[str]):
    assert with_options("fit", ["photos", *words]) == ["--data.root", "photos", *words]


@pytest.mark.parametrize("verb", ["validate", "test", "predict"])
def test_other_verbs_take_a_run_and_then_images(copied: Path, verb: str):
    assert with_options(verb, ["runs/photos", "photos"]) == ["--ckpt_path", "runs/photos", "--data.root", "photos"]
    assert with_options(verb, ["runs/photos"]) == ["--ckpt_path", "runs/photos"]
    assert with_options(verb, ["photos", "--ckpt_path", "best"]) == ["--data.root", "photos", "--ckpt_path", "best"]


def test_predict_of_one_image_prints_its_answer(copied: Path, capsys: pytest.CaptureFixture[str]):
    image = next(Path("photos/test").rglob("*.png"))
    assert main(["predict", "runs/photos", str(image)]) == 0
    *_, count, answer = capsys.readouterr().out.splitlines()
    assert count == "1 image"
    name, confidence = answer.split()
    assert name in ("circle", "square")
    assert 0.5 <= float(confidence) <= 1


def test_more_paths_than_there_are_places_are_told():
    with pytest.raises(ConfigError, match=r"^a b: fit takes one path, of images; everything else has a name"):
        with_options("fit", ["a", "b", "--data", "FolderData"])


@pytest.mark.parametrize("verb", ["validate", "test", "predict"])
def test_the_folder_of_all_runs_is_told_in_the_place_of_one(verb: str, here: Path):
    (here / "runs" / "cats" / "checkpoints").mkdir(parents=True)
    (here / "runs" / "cats" / "checkpoints" / "best.ckpt").touch()
    with pytest.raises(ConfigError, match=r"^runs: holds runs, and is none; name one, such as runs/cats$"):
        with_options(verb, ["runs", "photos"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("test runs/gone", "runs/gone: no such run or checkpoint; check the path (now in "),
        ("predict nothing.jpg", "nothing.jpg: no such run or checkpoint"),
        ("test --trainer.accelerator cpu runs/photos", "runs/photos: stands behind options; put it first, as in"),
        ("predict --run.name=a runs/photos photos", "runs/photos: stands behind options; put it first"),
        ("predict net.safetensors photos", "net.safetensors: is no checkpoint of a run; other weights are named"),
        ("predict net.pt2 photos", "net.pt2: is for torch.export.load; name the run"),
    ],
)  # fmt: skip
def test_what_stands_in_the_place_of_a_run_is_named(copied: Path, words: str, told: str):
    for name in ("net.safetensors", "net.pt2"):
        Path(name).touch()
    verb, *rest = words.split()
    with pytest.raises(ConfigError) as raised:
        with_options(verb, rest)
    assert str(raised.value).startswith(told)


def test_values_of_options_are_no_runs_behind_them(copied: Path):
    words = ["--run.dir", "runs/photos", "--data.root", "photos"]
    assert with_options("test", words) == words
