"""What is typed of the images acts: which they are, what they are called, and how a training sees them."""

from __future__ import annotations

import json
import shutil
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.conftest import CPU, TINY
from vitcli.__main__ import main
from vitcli.cli.verbs import check
from vitcli.data import Augment, FolderData
from vitcli.data.sheet import write_sheet
from vitcli.preprocess import Preprocess
from vitcli.run import Run
from vitcli.table.rows import read_rows

# what the picture samples.png of vitcli check shows otherwise
SAMPLES: dict[str, Any] = {
    "crop_scale": (0.9, 1.0), "crop_ratio": (0.4, 0.5), "flip": 0.0, "flip_vertical": 1.0, "colour": 0.9,
    "policy": "trivial", "erase": 1.0, "mixup": 1.0, "cutmix": 1.0, "repeats": 3, "sampler": "balanced",
    "batch_size": 3, "seed": 5, "size": (10, 20), "interpolation": "bilinear", "resize": "pad",
    "mean": (0.9, 0.1, 0.5), "magnitude": 29,
}  # fmt: skip
# beside which it shows them
BESIDE = {"mean": {"resize": "pad"}, "magnitude": {"policy": "rand"}}


def section_of(key: str) -> str:
    return "augment." if hasattr(Augment, key) else "preprocess." if hasattr(Preprocess, key) else ""


def typed(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def drawn_as(**said: Any) -> bytes:
    given: dict[str, dict[str, Any]] = {"augment.": {}, "preprocess.": {"size": (12, 12)}, "": {}}
    for key, value in said.items():
        given[section_of(key)][key] = value
    augment, preprocess = Augment(**given["augment."]), Preprocess(**given["preprocess."])
    data = FolderData("photos", classes=("circle", "square"), augment=augment, preprocess=preprocess, **given[""])
    assert write_sheet(data, Path("samples.png"))
    return Path("samples.png").read_bytes()


def test_every_setting_of_what_a_training_sees_shows_in_its_samples(photos: Path) -> None:
    shutil.rmtree(photos / "train/square")
    (photos / "train/square").mkdir()
    picture("photos/train/square/0.png", 0)
    for key, value in SAMPLES.items():
        beside = BESIDE.get(key, {})
        assert drawn_as(**beside) != drawn_as(**{**beside, key: value}), key


def test_every_setting_of_what_a_training_sees_arrives_from_the_command_line(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Any] = []
    monkeypatch.setattr(check, "write_sheet", lambda data, file: found.append(data))
    wanted = {f"{section_of(key)}{key}": value for key, value in {**SAMPLES, "policy": "rand"}.items()}
    words = [word for key, value in wanted.items() for word in (f"--data.{key}", typed(value))]
    assert main(["check", "photos", *words]) in (0, 3)
    assert {key: attrgetter(key)(found[0]) for key in wanted} == wanted


def counts(*words: str) -> dict[str, dict[str, int]]:
    assert main(["check", *words]) in (0, 3)
    (told,) = Path("runs").glob("check-*/check.json")
    content: dict[str, dict[str, int]] = json.loads(told.read_text())["counts"]
    return content


def picture(path: str, number: int) -> None:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 16), (5 * number % 256, 90, 40)).save(file)


def test_class_levels_label_pattern_and_splits_say_what_is_a_class(here: Path) -> None:
    for number, path in enumerate(f"deep/{a}/{b}/{c}.png" for a in "xy" for b in "pq" for c in range(6)):
        picture(path, number)
    for number, path in enumerate(f"flat/{name}_{index}.png" for name in ("cat", "dog") for index in range(6)):
        picture(path, number)
    for number, path in enumerate(
        f"odd/{part}/{name}/{index}.png" for part in "ab" for name in "cd" for index in "123"
    ):
        picture(path, number)
    words: tuple[str, ...] = ("deep", "--data", "FolderData", "--out", "runs/check-a")
    assert set(counts(*words)["train"]) == {"x", "y"}
    assert set(counts(*words, "--data.class_levels", "2")["train"]) == {"x/p", "x/q", "y/p", "y/q"}
    words = ("flat", "--data", "FolderData", "--out", "runs/check-a", "--data.label_pattern", "^([a-z]+)_[0-9]+")
    assert set(counts(*words)["train"]) == {"cat", "dog"}
    words = ("odd", "--data", "FolderData", "--out", "runs/check-a")
    assert set(counts(*words)["train"]) == {"a", "b"}
    assert counts(*words, "--data.splits", "{train: a, val: b}") == {"train": {"c": 3, "d": 3}, "val": {"c": 3, "d": 3}}


def samples(*words: str) -> bytes:
    assert main(["check", "photos/train", "--data", "FolderData", *words, "--out", "runs/check-a"]) in (0, 3)
    return Path("runs/check-a/samples.png").read_bytes()


@pytest.mark.usefixtures("photos")
def test_fractions_and_split_seed_say_what_is_held_out() -> None:
    ordinary = samples()
    assert samples("--data.split_seed", "3") != ordinary
    words = [
        "--data",
        "FolderData",
        "--out",
        "runs/check-a",
        "--data.val_fraction",
        "0.25",
        "--data.test_fraction",
        "0.5",
    ]
    held = {split: sum(by_class.values()) for split, by_class in counts("--data.root", "photos/train", *words).items()}
    assert held == {"train": 6, "val": 6, "test": 12}


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize("option", ["val_fraction", "test_fraction", "split_seed"])
def test_a_share_of_what_is_divided_already_is_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["check", "photos"] if option == "split_seed" else ["fit", "--data.root", "photos", *TINY, *CPU]
    assert main([*words, f"--data.{option}", "0"]) == 2
    told = capsys.readouterr().err
    assert told == f"vitcli {words[0]}: error: data.{option} 0: photos is divided already; leave it out\n"
    assert not Path("runs/photos").exists()


@pytest.mark.usefixtures("photos")
def test_a_run_keeps_its_division_and_looks_at_what_it_scores(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data.root", "photos/train", "--trainer.max_epochs", "1", *TINY, *CPU]
    assert main(["fit", *words]) == 0
    for verb in ("validate", "test"):
        # where their contents decide
        assert main([verb, "--ckpt_path", "runs/train", "--data.cache_dir", f"index-{verb}", *CPU]) == 0
        assert any(Path(f"index-{verb}").rglob("*"))
    for verb, option in (("fit", "val_fraction"), ("test", "test_fraction"), ("validate", "split_seed")):
        capsys.readouterr()
        assert (
            main([verb, "--ckpt_path", "runs/train", f"--data.{option}", "0.6" if "fraction" in option else "6", *CPU])
            == 2
        )
        told = capsys.readouterr().err
        assert told.startswith(f"vitcli {verb}: error: data.{option} ")


def test_the_columns_of_a_table_are_those_that_are_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = []
    for number in range(12):
        picture(f"pictures/{number}.png", number)
        rows.append(f"{number}.png,{'ab'[number % 2]},{'train' if number < 8 else 'val'}")
    Path("table.csv").write_text("\n".join(["file,kind,part", *rows]))
    columns = ["--data.folder", "pictures", "--data.path_column", "file", "--data.label_column", "kind"]
    words = ["table.csv", "--out", "runs/check-a", *columns]
    assert counts(*words, "--data.split_column", "part") == {"train": {"a": 4, "b": 4}, "val": {"a": 2, "b": 2}}
    assert main(["check", *words, "--data.split_column", "fold"]) == 2
    assert "data.split_column fold: no row of table.csv has such a column" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["fit", "validate", "test", "predict"])
def test_quarantine_and_max_pixels_act_on_every_verb(copied: Path, verb: str) -> None:
    split = {"fit": "train", "validate": "val"}.get(verb, "test")
    first, second = sorted(Path("photos", split).rglob("*.png"))[:2]
    Path("bad.txt").write_text(f"{first.relative_to('photos')}\n")
    Image.new("RGB", (64, 64)).save(second)
    words = ["--data", "FolderData", "--data.root", "photos", "--data.quarantine", "bad.txt", "--run.name", "new", *CPU]
    words += ["--data.max_pixels", "1000"]
    words += [*TINY, "--trainer.max_epochs=1"] if verb == "fit" else ["--ckpt_path", str(copied)]
    assert main([verb, *words]) in (0, 3)
    run = Run(Path("runs/new"))
    if verb == "fit":
        assert len(run.left_out.read_text().splitlines()) == 1 + 2
    else:
        assert sum(row.status == "error" for row in read_rows(run.predictions(verb))) == 2


def test_drawn_shapes_are_as_many_and_those_that_are_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = ["--data", "ShapesData", *(f"--data.{part}=4" for part in ("train", "val", "test")), *CPU]
    assert main(["fit", *data, "--data.kinds", "[star, cross]", *TINY, "--trainer.max_epochs", "1"]) == 0
    said = {"validate": {"val": 6}, "test": {"test": 6}, "predict": {"train": 2, "val": 2, "test": 2}}
    for verb, numbers in said.items():
        capsys.readouterr()
        words = ["--data", "ShapesData", "--data.kinds", "[cross, star]", "--data.drawing_seed", "3", *CPU]
        words += [f"--data.{part}={count}" for part, count in numbers.items()]
        assert main([verb, "--ckpt_path", "runs/run", *words]) == 0
        of = "" if verb == "predict" else f"{next(iter(numbers))} "
        assert f"data: 6 {of}images; 2 classes: star, cross" in capsys.readouterr().out


def table(*words: str) -> list[Any]:
    assert main(["predict", "--ckpt_path", "runs/photos", *words, *CPU]) == 0
    return [row.path for row in read_rows(Path("runs/photos/predictions.csv"))]


def test_links_are_followed_where_it_is_said(copied: Path) -> None:
    Path("linked").mkdir()
    picture("linked/own.png", 1)
    Path("linked/more").symlink_to(Path("photos/test/circle").absolute())
    assert len(table("--data.root", "linked")) == 1
    assert len(table("--data.root", "linked", "--data.follow_links", "true")) == 5
