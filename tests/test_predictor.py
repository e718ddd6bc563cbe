"""Predictor says of files what vitcli predict says, takes images and arrays, and starts without Lightning."""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vitcli
from tests.conftest import CPU, photo
from vitcli.__main__ import main
from vitcli.errors import ConfigError, DataError, WeightsError
from vitcli.table.rows import read_rows

Predictor = vitcli.Predictor


def mixed(folder: str = "odd") -> Path:
    """Pictures of several sizes, kinds and folders, some of them unreadable."""
    root = Path(folder)
    (root / "inner").mkdir(parents=True)
    for number, size in enumerate([(60, 40), (300, 500), (7, 9), (33, 32)]):
        photo(number, size).save(root / f"{number}.jpg")
    photo(4).convert("L").save(root / "inner" / "grey.png")
    photo(5).convert("RGBA").save(root / "inner" / "10.png")
    (root / "inner" / "9.png").write_bytes(b"no picture")
    (root / "empty.jpg").touch()
    return root


def said_by_the_command(*words: str) -> list:
    assert main(["predict", *words, *CPU, "--predictions.path", "said.csv"]) == 0
    rows = list(read_rows(Path("said.csv")))
    Path("said.csv").unlink()
    return rows


@pytest.mark.parametrize("batch_size", [64, 3])
def test_rows_are_those_of_the_command(copied: Path, batch_size: int) -> None:
    mixed()
    said = said_by_the_command(str(copied), "odd", "--data.batch_size", str(batch_size))
    rows = Predictor(copied, device="cpu", batch_size=batch_size).predict("odd")
    assert rows == said
    assert [row.status for row in rows].count("error") == 2


def test_rows_with_a_threshold_a_temperature_and_mirror_images_are_the_commands_too(copied: Path) -> None:
    mixed()
    words = ["--predictions.temperature", "2.5", "--predictions.tta", "flip", "--predictions.threshold", "0.6"]
    asked = Predictor(copied, device="cpu", temperature=2.5, tta="flip", threshold=0.6)
    assert asked.predict("odd") == said_by_the_command(str(copied), "odd", *words)


def test_a_checkpoint_and_imported_weights_say_the_same(copied: Path) -> None:
    by_run = Predictor(copied, device="cpu").predict("photos/test")
    checkpoint = copied / "checkpoints" / "best.ckpt"
    assert Predictor(checkpoint, device="cpu").predict("photos/test") == by_run
    assert main(["import", str(checkpoint), "--out", "mine.safetensors"]) == 0
    assert Predictor("mine.safetensors", device="cpu").predict("photos/test") == by_run


def test_several_things_have_their_rows_in_their_order_however_often_they_are_named(copied: Path) -> None:
    mixed()
    shutil.make_archive("packed", "zip", "odd")
    predictor = Predictor(copied, device="cpu")
    named = ["odd/3.jpg", Path("odd/0.jpg"), "none.jpg", "odd/3.jpg", "odd/inner", "odd/inner/*.png", "packed.zip"]
    rows = predictor.predict(named)
    inner = ["9.png", "10.png", "grey.png"]
    assert [row.path for row in rows] == [
        *("odd/3.jpg", "odd/0.jpg", "none.jpg", "odd/3.jpg"),
        *(f"odd/inner/{name}" for name in inner * 2),
        *(f"packed.zip/{row.path}" for row in predictor.predict("odd")),
    ]
    assert rows[2].error == "no such file"
    assert rows[0] == rows[3]
    assert [replace(row, path="") for row in rows[-8:]] == [replace(row, path="") for row in predictor.predict("odd")]


def test_images_and_arrays_are_told_apart_like_files_and_mixed_with_them(copied: Path) -> None:
    predictor = Predictor(copied, device="cpu")
    picture = photo(3, (90, 70))
    picture.save("a.png")
    array = np.array(picture)
    of_file, *others = predictor.predict(["a.png", picture, array, array[::1, ::1], picture.convert("RGBA")])
    assert others == [replace(of_file, path="")] * 4
    assert predictor.predict(array) == predictor.predict(picture) == others[:1]
    grey = picture.convert("L")
    assert predictor.predict([grey]) == predictor.predict([np.array(grey)])
    assert (of_file.width, of_file.height) == (90, 70)


def test_an_image_is_turned_as_its_exif_says(copied: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(1, (64, 48)).save("turned.png", exif=exif)
    predictor = Predictor(copied, device="cpu")
    with Image.open("turned.png") as opened:
        of_file, of_image = predictor.predict(["turned.png", opened])
    assert replace(of_file, path="") == of_image
    assert (of_image.width, of_image.height) == (48, 64)


def test_an_image_that_cannot_be_read_is_a_row(copied: Path) -> None:
    photo(1, (400, 300)).save("cut.jpg")
    content = Path("cut.jpg").read_bytes()
    Path("cut.jpg").write_bytes(content[: len(content) // 2])
    with Image.open("cut.jpg") as opened:
        rows = Predictor(copied, device="cpu").predict(["cut.jpg", opened])
    assert [(row.path, row.status, row.predicted) for row in rows] == [("cut.jpg", "error", ""), ("", "error", "")]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (np.zeros((4, 5, 3)), r"float64 \(4, 5, 3\): its numbers are not bytes; \(255 \* array\)"),
        (np.zeros((4, 5), dtype=np.uint16), "uint16 .* give uint8 of"),
        (np.zeros((3, 4, 5), dtype=np.uint8), r"colours come last: array.transpose\(1, 2, 0\)"),
        (np.zeros((4, 5, 4), dtype=np.uint8), "is no picture"),
        (np.zeros((0, 5, 3), dtype=np.uint8), "no pixels"),
        ([3], "builtins.int: is no image"),
        (3, "builtins.int: is no image"),
    ],
)
def test_what_is_no_image_is_refused_before_anything_is_predicted(copied: Path, given: object, told: str) -> None:
    with pytest.raises(DataError, match=told):
        Predictor(copied, device="cpu").predict(given)  # type: ignore[arg-type]


def test_nothing_gives_no_rows(copied: Path) -> None:
    assert Predictor(copied, device="cpu").predict([]) == []


def test_what_cannot_be_asked_is_refused_in_a_line(copied: Path) -> None:
    for options, told in [
        ({"batch_size": 0}, "batch_size 0: is no whole number of at least 1"),
        ({"batch_size": 2.5}, "batch_size 2.5: is no whole number of at least 1"),
        ({"batch_size": "4"}, "batch_size '4': is no whole number of at least 1"),
        ({"max_pixels": 0}, "max_pixels 0: is no whole number of at least 1"),
        ({"temperature": "x"}, "temperature 'x': is neither a number nor auto"),
        ({"threshold": 1.5}, "threshold 1.5: outside"),
        ({"temperature": 0.0}, "temperature 0: must be above 0"),
        ({"tta": "rotate"}, "tta rotate"),
        ({"device": "cuda:77"}, "device cuda:77"),
        ({"device": "none"}, "device none"),
    ]:
        with pytest.raises(ConfigError, match=told):
            Predictor(copied, **{"device": "cpu", **options})  # type: ignore[arg-type]
    for given, told in ((b"photos", "builtins.bytes: is no image"), ("", "'': is no path of an image")):
        with pytest.raises(DataError, match=told):
            Predictor(copied, device="cpu").predict(given)  # type: ignore[arg-type]
    Path("folder").mkdir()
    with pytest.raises(WeightsError, match=r"^folder: a folder without checkpoints; name"):
        Predictor("folder")
    with pytest.raises(WeightsError, match=r"^nowhere: no such file"):
        Predictor("nowhere")


def test_threads_share_a_predictor(copied: Path) -> None:
    predictor = Predictor(copied, device="cpu")
    folders = [f"photos/test/{name}" for name in ("circle", "square")] * 3
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(predictor.predict, folders)) == [predictor.predict(folder) for folder in folders]


def test_it_starts_without_lightning_and_vitcli_without_torch() -> None:
    heavy = "lightning torchmetrics torchvision jsonargparse sklearn scipy matplotlib pyarrow torch._dynamo"
    script = (
        f"import sys, vitcli\nprint('torch' in sys.modules)\nvitcli.Predictor\n"
        f"print([name for name in {heavy.split()} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "[]"]
