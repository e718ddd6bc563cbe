"""``vitcli explain`` as people type it: overlays, sheets, maps.npz and a table of pictures, and mistakes in a line."""

from __future__ import annotations

import csv
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.conftest import photo
from tests.readme import README
from vitcli.__main__ import main
from vitcli.explain import maps_of
from vitcli.explain.concentration import concentration
from vitcli.explain.folder import seen
from vitcli.predictor import Predictor
from vitcli.report.charts.colouring import Scale, overlay

PYTHON = re.compile(r"(?<=```python\n).*?(?=```)", re.DOTALL)
HOSTILE = ["x/$x_1$", "\x1b[31mred\u202egpj", "a" * 200, "=1+1"]


def rows(folder: str) -> list[dict[str, str]]:
    with open(f"{folder}/maps.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def mistake(capsys: pytest.CaptureFixture[str], *typed: str) -> str:
    """The one line that a mistake ends with."""
    capsys.readouterr()
    assert main(["explain", *typed]) == 2
    told = capsys.readouterr()
    assert told.err.count("\n") == 1
    assert told.err.startswith("vitcli explain: error: ")
    assert told.out == ""
    return told.err


def test_each_file_is_what_the_table_and_the_arrays_say(copied: Path, capsys: pytest.CaptureFixture[str]):
    Path("new").mkdir()
    for number in range(2):
        photo(number, (64, 48)).save(f"new/{number}.png")
    Path("new/torn.png").write_bytes(b"no picture")
    words = ["--methods", "relevance,gradients", "--layers", "--out", "out", "--device", "cpu"]
    assert main(["explain", "--ckpt_path", str(copied), "--data.root", "new", *words]) == 0
    assert capsys.readouterr().out == (
        "maps: out (maps.csv, maps.npz, relevance, gradients)\n"
        "3 images, 1 of them without a map (status=error), such as torn.png: not an image (cannot identify)\n"
    )
    table = rows("out")
    predictor = Predictor(copied, device="cpu")
    for row, known in zip(table, predictor.predict("new"), strict=True):
        assert (row["path"], row["status"], row["predicted"]) == (known.path, known.status, known.predicted)
        assert row["confidence"] == ("" if known.confidence is None else f"{known.confidence:.7g}")
        assert row["explained"] == row["predicted"]
    arrays = np.load("out/maps.npz")
    assert {name: arrays[name].shape for name in arrays.files} == {
        "path": (3,), "predicted": (3,), "explained": (3,),
        "relevance": (3, 2, 2), "gradients": (3, 2, 2), "layers": (3, 1, 2, 2, 2),
    }  # fmt: skip
    assert arrays["path"].tolist() == [row["path"] for row in table]
    for method in ("relevance", "gradients"):
        assert arrays[method].dtype == np.float32
        assert np.isnan(arrays[method][2]).all()
        assert table[2][method] == table[2][f"{method}_half"] == table[2]["sheet"] == ""
        for number, row in enumerate(table[:2]):
            found = arrays[method][number]
            picture = np.asarray(Image.open(f"new/{number}.png"))
            drawn = overlay(seen(picture, (48, 64), predictor.preprocess), found, Scale.of(found))
            assert np.array_equal(np.asarray(Image.open(f"out/{row[method]}")), drawn)
            half, against = concentration(found)
            assert row[f"{method}_half"] == ("" if half is None else f"{half:.7g}")
            assert row[f"{method}_against"] == f"{against:.7g}"
    sheets = [f"{number}.png.{kind}.png" for number in range(2) for kind in ("sheet", "layers")]
    assert sorted(file.name for file in Path("out").iterdir()) == sorted(
        ["maps.csv", "maps.npz", *sheets, *(row[method] for row in table[:2] for method in ("relevance", "gradients"))]
    )
    for name in sheets:
        with Image.open(f"out/{name}") as sheet:
            assert sheet.format == "PNG"
            assert min(sheet.size) > 150


def test_the_class_is_named_or_numbered_or_the_predicted_one(copied: Path):
    photo(3).save("one.png")
    predictor = Predictor(copied, device="cpu")
    predicted = predictor.predict("one.png")[0].predicted
    other = next(name for name in predictor.classes if name != predicted)
    wanted: dict[str, str] = {"predicted": predicted, other: other, str(predictor.classes.index(other)): other}
    pixels = torch.from_numpy(_crop(predictor, "one.png"))
    for number, (typed, name) in enumerate(wanted.items()):
        words = [str(copied), "one.png", "--class", typed, "--methods", "relevance", "--out", f"out{number}"]
        assert main(["explain", *words]) == 0
        (row,) = rows(f"out{number}")
        assert (row["predicted"], row["explained"]) == (predicted, name)
        with torch.no_grad():
            labels = torch.tensor([predictor.classes.index(name)])
            direct = maps_of("relevance", predictor.net, predictor.preprocess.normalise(pixels[None]), labels)
        np.testing.assert_allclose(np.load(f"out{number}/maps.npz")["relevance"], direct.numpy(), atol=1e-7)


def _crop(predictor: Predictor, path: str) -> Any:
    from vitcli.images.index.handed import cropped, handed

    ((_, read),) = cropped(handed(path), predictor.preprocess, 1, 10**7)
    return read[0].pixels


def test_hostile_names_and_zips_have_safe_files_and_nothing_is_overwritten(
    copied: Path, capsys: pytest.CaptureFixture[str]
):
    photo(1, (8, 8)).save("one.png")
    content = Path("one.png").read_bytes()
    with zipfile.ZipFile("many.zip", "w") as archive:
        for number, name in enumerate(HOSTILE):
            archive.writestr(f"{name}{number}.png", content)
        archive.writestr("A.png", content)
        archive.writestr("a.png", content)
    before = set(Path().rglob("*"))
    words = [str(copied), "many.zip", "--methods", "attention"]
    assert main(["explain", *words]) == 0
    table = rows(f"{copied}/explain")
    told = capsys.readouterr().out
    assert told.replace("\n", "").isprintable()
    assert len(table) == len({row["attention"].casefold() for row in table}) == 6
    made = set(Path().rglob("*")) - before
    assert {file.parent for file in made} == {copied, copied / "explain"}
    assert all((copied / "explain" / row["attention"]).is_file() for row in table)
    # once more goes elsewhere
    first = {file: file.read_bytes() for file in (copied / "explain").iterdir()}
    assert main(["explain", *words, "--most", "2"]) == 0
    assert "2 images of 6, evenly spread (--most 6 takes all)" in capsys.readouterr().out
    assert [row["path"] for row in rows(f"{copied}/explain-2")] == [table[0]["path"], table[3]["path"]]
    assert first == {file: file.read_bytes() for file in (copied / "explain").iterdir()}


def test_pictures_behind_links_have_maps_by_the_option_that_the_refusal_names(
    copied: Path, capsys: pytest.CaptureFixture[str]
):
    Path("links").mkdir()
    photo(1).save("one.png")
    Path("links/one.png").symlink_to("../one.png")
    words = [str(copied), "links", "--out", "out", "--device", "cpu"]
    assert "1 link; set data.follow_links true, or" in mistake(capsys, *words)
    assert main(["explain", *words, "--data.follow_links", "true"]) == 0
    assert [(row["path"], row["status"]) for row in rows("out")] == [("one.png", "ok")]
    assert "--data.follow_links: yes is neither true nor false" in mistake(capsys, *words, "--data.follow_links", "yes")


def test_more_than_half_without_a_map_is_the_code_3(copied: Path):
    Path("bad.png").write_bytes(b"bad")
    assert main(["explain", str(copied), "bad.png", "--out", "out"]) == 3
    assert rows("out")[0]["status"] == "error"


def test_mistakes_are_one_line_each(copied: Path, capsys: pytest.CaptureFixture[str]):
    run = str(copied)
    photo(1).save("one.png")
    assert "--ckpt_path is missing" in mistake(capsys)
    assert "--data.root is missing" in mistake(capsys, run)
    assert "nowhere: no such file" in mistake(capsys, "nowhere", "one.png")
    assert "gone.png" in mistake(capsys, run, "gone.png")
    Path("empty").mkdir()
    assert "empty: no files in it" in mistake(capsys, run, "empty")
    assert "--methods magic: is none; say all, or attention, rollout" in mistake(
        capsys, run, "one.png", "--methods", "magic"
    )
    assert "--class circel: the net has no such class; did you mean circle?" in mistake(
        capsys, run, "one.png", "--class", "circel"
    )
    assert "--class 2: the net has no such class" in mistake(capsys, run, "one.png", "--class", "2")
    assert "--most 0: below 1" in mistake(capsys, run, "one.png", "--most", "0")
    assert "device nonsense" in mistake(capsys, run, "one.png", "--device", "nonsense")
    Path("full").mkdir()
    Path("full/mine.txt").write_text("mine")
    assert "--out full: holds mine.txt already" in mistake(capsys, run, "one.png", "--out", "full")
    assert Path("full/mine.txt").read_text() == "mine"
    assert "--out one.png/out: the folder cannot be made" in mistake(capsys, run, "one.png", "--out", "one.png/out")
    assert "--out photos/maps: is among the images" in mistake(capsys, run, "photos", "--out", "photos/maps")
    assert not Path("photos/maps").exists()
    assert not (copied / "explain").exists()


@pytest.mark.slow
@pytest.mark.shared_data
def test_odd_files_have_a_map_or_a_reason_as_predict_has_it(copied: Path, shared_data: Path):
    words = [str(copied), str(shared_data / "odd_images"), "--most", "1000", "--methods", "attention", "--out", "out"]
    assert main(["explain", *words]) == 0
    with open(shared_data / "odd_images_manifest.csv", encoding="utf-8", newline="") as file:
        known = {row["file"].removeprefix("odd_images/"): row["accept"] for row in csv.DictReader(file)}
    table = rows("out")
    assert len(table) == len(known)
    for row in table:
        assert known[row["path"]] in (("decode", "either") if row["status"] == "ok" else ("skip", "either"))
        assert (row["sheet"] != "") is (row["status"] == "ok")
        assert not row["sheet"] or Path("out", row["sheet"]).is_file()


def test_what_the_readme_does_from_python_runs(copied: Path, capsys: pytest.CaptureFixture[str]):
    copied.rename("runs/folder")
    (example,) = [block for block in PYTHON.findall(README.read_text(encoding="utf-8")) if "watch(" in block]
    found: dict[str, Any] = {}
    exec(example, found)
    # 16 pixels in patches of 8, two heads of 8, one class token, which the last layer alone asks for
    shapes = [tuple(each.shape) for each in (found["seen"][0].scores, found["seen"][0].context, found["maps"])]
    assert shapes == [(2, 2, 1, 5), (2, 2, 1, 8), (2, 2, 2)]
    assert capsys.readouterr().out.count("torch.Size") == 3
