"""A run keeps its division: what its checkpoint was trained on is never scored by it unless that is said."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import CPU, TINY
from vitcli.__main__ import main

RUN = Path("runs/photos")
SHARES = ["--data.val_fraction=0.2", "--data.test_fraction=0.2"]
SPLITS = ("train", "val", "test")


@pytest.fixture
def root(here: Path, write_photos: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> Path:
    """A folder of two classes of ten photos, all different, on which a run was fitted."""
    for first, name in enumerate(("cat", "dog")):
        write_photos(*(f"photos/{name}/{number}.png" for number in range(10)), first=100 * first, size=(20, 20))
    assert main(["fit", "photos", "--trainer.max_epochs=1", *SHARES, *TINY, *CPU]) == 0
    capsys.readouterr()
    return here / "photos"


def divided() -> dict[str, str]:
    """The split of each path, as the run keeps it."""
    with (RUN / "splits.csv").open(newline="", encoding="utf-8") as lines:
        return {row["path"]: row["split"] for row in csv.DictReader(lines)}


def contents(root: Path, split: str) -> set[bytes]:
    """What the images of a split hold that still lie at the paths of the division."""
    return {(root / path).read_bytes() for path, name in divided().items() if name == split and (root / path).exists()}


def scored(root: Path, *words: str) -> set[bytes]:
    """What the images hold that the test of the run has scored."""
    assert main(["test", str(RUN), *words, *CPU]) == 0
    with (RUN / "predictions.test.csv").open(newline="", encoding="utf-8") as table:
        paths = [row["path"] for row in csv.DictReader(table)]
    (RUN / "predictions.test.csv").unlink()
    return {(root / path).read_bytes() for path in paths}


def change(root: Path, write_photos: Callable[..., None]) -> None:
    """Add photos, remove some of each split, and rename the others of a class, so that they sort in another order."""
    for split in SPLITS:
        (root / next(path for path, name in divided().items() if name == split and path.startswith("dog"))).unlink()
    for number, file in enumerate(sorted((root / "cat").iterdir(), reverse=True)):
        file.rename(file.with_name(f"renamed{number}.png"))
    new = [f"photos/{name}/{number}.png" for name in ("cat", "dog") for number in range(50, 65)]
    write_photos(*new, first=500, size=(20, 20))


def test_test_scores_no_photo_of_the_training_whatever_happens_to_the_folder(
    root: Path, write_photos: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    trained, tested = contents(root, "train"), contents(root, "test")
    assert scored(root) == tested
    assert "splits as in" not in capsys.readouterr().out
    change(root, write_photos)
    left = {file.read_bytes() for file in root.glob("*/*.png")}
    now = scored(root)
    assert now.isdisjoint(trained)
    assert tested & left < now
    told = capsys.readouterr().out
    assert "splits as in runs/photos/splits.csv: 30 new images (" in told
    assert "10 images renamed or copied, 3 images gone" in told
    assert "trained on" not in told


@pytest.mark.slow
def test_names_that_were_exchanged_bring_no_photo_of_the_training_into_the_test(root: Path) -> None:
    trained = contents(root, "train")
    files = sorted((root / "cat").iterdir())
    held = [file.read_bytes() for file in files]
    for file, content in zip(files, held[3:] + held[:3], strict=True):
        file.write_bytes(content)
    assert scored(root).isdisjoint(trained)


def test_a_folder_that_was_moved_is_divided_as_it_was(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained, tested = contents(root, "train"), contents(root, "test")
    moved = root.rename(root.with_name("elsewhere"))
    now = scored(moved, "elsewhere")
    assert now.isdisjoint(trained)
    assert now == tested


def test_scoring_changes_no_division(root: Path, write_photos: Callable[..., None]) -> None:
    before = (RUN / "splits.csv").read_bytes()
    change(root, write_photos)
    for verb in ("validate", "test"):
        assert main([verb, str(RUN), *CPU]) == 0
    assert (RUN / "splits.csv").read_bytes() == before


def test_a_fit_that_goes_on_keeps_the_old_division_and_adds_to_it(
    root: Path, write_photos: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    then, held = divided(), {split: contents(root, split) for split in SPLITS}
    change(root, write_photos)
    capsys.readouterr()
    assert main(["fit", "--ckpt_path", str(RUN), "--trainer.max_epochs=2", *CPU]) == 0
    told = capsys.readouterr().out
    assert "splits as in runs/photos/splits.csv: 30 new images (" in told
    now = divided()
    # those that are gone stay known
    assert then.items() <= now.items()
    for split in SPLITS:
        others = set().union(*(held[other] for other in SPLITS if other != split))
        assert contents(root, split).isdisjoint(others)
    trained = held["train"] | contents(root, "train")
    assert scored(root).isdisjoint(trained)


def test_a_photo_of_the_training_in_the_folder_of_the_test_is_told(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "photos", "--trainer.max_epochs=1", *TINY, *CPU]) == 0
    shutil.copy("photos/train/circle/0000.png", "photos/test/circle/0100.png")
    capsys.readouterr()
    assert main(["test", str(RUN), *CPU]) == 0
    told = "the run was trained on 1 test image, such as test/circle/0100.png; scores will be too good"
    assert told in capsys.readouterr().out.splitlines()


@pytest.mark.slow
def test_a_folder_of_its_own_that_holds_photos_of_the_training_is_told(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "photos", "--trainer.max_epochs=1", *TINY, *CPU]) == 0
    for name in ("circle", "square"):
        shutil.copytree(f"photos/train/{name}", f"others/test/{name}")
    capsys.readouterr()
    assert main(["test", str(RUN), "others", *CPU]) == 0
    assert "the run was trained on 24 test images, such as test/circle/0000.png" in capsys.readouterr().out
    # val was never trained on
    shutil.rmtree("others")
    shutil.copytree("photos/val", "others/test")
    assert main(["test", str(RUN), "others", *CPU]) == 0
    assert "the run was trained on" not in capsys.readouterr().out
