"""predict --model FILE.onnx: the table of predict without torch, and evaluate and report behind it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import CPU, photo
from tests.light.colours import CLASSES, colours, written
from vitcli.__main__ import main
from vitcli.light import OnnxPredictor
from vitcli.light.batches import Batch
from vitcli.light.model import OnnxModel
from vitcli.light.table import LightTable
from vitcli.table.row import Row
from vitcli.table.rows import read_rows

HEAVY = ("torch", "torchvision", "lightning", "torchmetrics", "timm", "jsonargparse", "onnx", "captum", "wandb")
# vitcli, in a process where these cannot be imported
LIGHT = f"""
import sys
# an import of them fails, as where they are not installed
sys.modules.update(dict.fromkeys({HEAVY}))
from vitcli.__main__ import command
code = command()
sys.exit(code if all(sys.modules[name] is None for name in {HEAVY}) else "imported all the same")
"""


def light(*words: str, code: int = 0) -> str:
    """What vitcli prints in a process without torch; it ends with a code."""
    done = subprocess.run([sys.executable, "-c", LIGHT, *words], capture_output=True, text=True)
    assert (done.returncode, "") == (code, done.stderr if code == 0 else ""), done.stderr
    return done.stdout + done.stderr


def picture(colour: int, number: int, size: tuple[int, int] = (50, 40)) -> Image.Image:
    """A noisy picture of one of the colours."""
    noise = np.random.default_rng(number).integers(0, 90, (size[1], size[0], 3))
    noise[..., colour] += 120
    return Image.fromarray(noise.astype(np.uint8))


@pytest.fixture
def room(here: Path) -> Path:
    """model.onnx, and ``photos/{red,green,blue}/{0,1,2}.png``, one of them blue in the folder red, one unreadable."""
    written(here / "model.onnx", colours())
    for place, name in enumerate(CLASSES):
        (here / "photos" / name).mkdir(parents=True)
        for number in range(3):
            wrong = name == "red" and number == 1
            picture(2 if wrong else place, number).save(here / "photos" / name / f"{number}.png")
    (here / "photos/green/9.png").write_bytes(b"no picture")
    return here


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """What the verb sets in the environment of a process that is its own."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def rows(path: str) -> list[Row]:
    return list(read_rows(Path(path)))


@pytest.mark.usefixtures("room")
def test_predict_evaluate_and_report_work_where_torch_cannot_be_imported() -> None:
    words = ["--data", "FolderData", "--data.root", "photos", "--predictions.path", "table.csv"]
    said = light("predict", "--model", "model.onnx", *words)
    assert "data: 10 images; 3 classes: red, green, blue" in said
    assert "10 images, 1 of them without a prediction" in said
    said = light("evaluate", "table.csv", "--out", "numbers.json")
    assert json.loads(Path("numbers.json").read_text())["accuracy"]["value"] == pytest.approx(8 / 9)
    assert "report: table-report/report.html" in light("report", "table.csv", "--images", "photos")
    assert "<svg" in Path("table-report/report.html").read_text()
    assert not Path("runs").exists()


@pytest.mark.usefixtures("room")
def test_the_table_has_what_the_predictor_says_in_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    wanted = OnnxPredictor("model.onnx").predict("photos")
    for ending in ("csv", "jsonl", "parquet"):
        assert main(["predict", "--model=model.onnx", "photos", "--predictions.path", f"table.{ending}"]) == 0
        assert rows(f"table.{ending}") == wanted
    assert main(["predict", "model.onnx", "photos", "--data.batch_size=3", "--data.num_workers=1"]) == 0
    assert rows("runs/model/predictions.csv") == wanted
    assert main(["predict", "model.onnx", "photos", "--run.name=mine", "--run.dir=theirs"]) == 0
    assert rows("theirs/mine/predictions.csv") == wanted
    assert "table: theirs/mine/predictions.csv\n10 images, 1 of them" in capsys.readouterr().out


@pytest.mark.usefixtures("room")
def test_images_are_named_in_every_way_that_predict_knows() -> None:
    def paths(*words: str) -> list[str]:
        assert main(["predict", "--model", "model.onnx", *words, "--predictions.path", "t.csv"]) == 0
        return [row.path for row in rows("t.csv")]

    Path("list.txt").write_text("photos/blue/2.png\nphotos/red/0.png\n")
    assert paths("--data.root", "photos/red/0.png") == ["0.png"]
    assert paths("--data.root", "photos/red", "photos/blue/1.png")[0] == "photos/blue/1.png"
    assert paths("--data.root", "[photos/red, photos/blue]")[3] == "photos/red/0.png"
    assert paths("--data.root=photos/**/[01].png") == [f"photos/{c}/{n}.png" for c in sorted(CLASSES) for n in (0, 1)]
    assert paths("list.txt") == ["photos/blue/2.png", "photos/red/0.png"]


@pytest.mark.usefixtures("room")
def test_labels_are_the_folders_that_are_classes_of_the_model(capsys: pytest.CaptureFixture[str]) -> None:
    Path("photos/grey").mkdir()
    picture(0, 5).save("photos/grey/0.png")
    picture(0, 6).save("photos/loose.png")
    words = ["--data", "vitcli.data.FolderData", "photos", "--predictions.path", "t.csv"]
    words += ["--predictions.probabilities", "top", "--predictions.top_k", "2"]
    assert main(["predict", "--model", "model.onnx", *words]) == 0
    found = {row.path: row for row in rows("t.csv")}
    assert {path: row.label for path, row in found.items()} == {
        path: path.partition("/")[0] if path.startswith(CLASSES) else "" for path in found
    }
    assert "2 images with no label that the model knows" in capsys.readouterr().out
    row = found["red/1.png"]
    assert (row.label, row.predicted, row.top[0][0]) == ("red", "blue", "blue")
    assert row.label_rank in (2, 3)
    whole = {row.path: row for row in OnnxPredictor("model.onnx").predict("photos")}["red/1.png"]
    assert row.label_probability == whole.probabilities[0]


@pytest.mark.usefixtures("room")
def test_options_of_the_table_act(capsys: pytest.CaptureFixture[str]) -> None:
    written(Path("two.onnx"), colours(("red", "green"), threshold=0.9))
    words = ["predict", "--model", "two.onnx", "photos", "--predictions.path", "t.csv"]
    assert main([*words, "--predictions.tta", "flip", "--predictions.max_errors", "0"]) == 3
    said = capsys.readouterr().out
    assert "predictions.threshold 0.9: green from this probability on" in said
    assert "too many images without a prediction" in said
    assert all(row.predicted == ("green" if row.probabilities[1] >= 0.9 else "red") for row in rows("t.csv") if row.top)
    sort = ["--predictions.sort_into", "s", "--predictions.sort_by", "copy", "--predictions.unsure_below", "0.6"]
    Path("photos/=1.png").write_bytes(b"")
    assert main([*words, "--predictions.threshold", "0.5", *sort, "--predictions.escape_formulas", "true"]) == 0
    assert "'=1.png" in Path("t.csv").read_text()
    folders = {path.name for path in Path("s").iterdir() if path.is_dir()}
    assert {"unreadable", "red", "green"} <= folders <= {"unreadable", "red", "green", "unsure"}
    # a link among the images is followed, and a list of images to leave out obeyed
    Path("photos/link").symlink_to(Path("photos/red").absolute())
    Path("out.txt").write_text("red/0.png\n")
    more = ["--data.follow_links", "true", "--data.quarantine", "out.txt", "--data.max_pixels", "1000"]
    assert main([*words, *more, "--predictions.max_errors", "1"]) == 0
    told = {row.path: row.error for row in rows("t.csv")}
    assert told["red/0.png"] == "in quarantine"
    assert told["blue/0.png"] == "too large (50 x 40 pixels, at most 0.001 million)"


class KilledError(Exception):
    """The process ends here."""


@pytest.mark.usefixtures("room")
@pytest.mark.parametrize("place", [["--predictions.path", "t.csv"], []], ids=["a path", "a run"])
def test_the_same_command_goes_on_with_a_table(
    place: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", "--model", "model.onnx", "photos", "--data.batch_size", "4", *place]
    table = "t.csv" if place else "runs/model/predictions.csv"
    seen: list[int] = []
    entries = LightTable._entries

    def ends_behind_the_first(self: LightTable, batch: Batch) -> object:
        if seen:
            raise KilledError
        seen.extend(batch.positions)
        return entries(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(LightTable, "_entries", ends_behind_the_first)
        with pytest.raises(KilledError):
            main(words)
    assert seen == [0, 1, 2, 3]
    assert f"rows so far are kept in {table}.parts; the same command goes on" in capsys.readouterr().err
    asked: list[int] = []
    run = OnnxModel.probabilities
    monkeypatch.setattr(OnnxModel, "probabilities", lambda *given: (asked.append(len(given[1])), run(*given))[1])
    assert main(words) == 0
    assert f"going on with {table}: 4 of 10 rows are kept" in capsys.readouterr().out
    assert sum(asked) == sum(row.status == "ok" for row in rows(table)[4:])
    assert rows(table) == OnnxPredictor("model.onnx").predict("photos")
    assert not list(Path().rglob("*.parts"))


@pytest.mark.usefixtures("room")
def test_another_model_does_not_go_on_with_the_rows_of_the_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["photos", "--data.batch_size", "4", "--predictions.path", "t.csv"]
    with monkeypatch.context() as patch:
        patch.setattr(LightTable, "_entries", lambda *_: (_ for _ in ()).throw(KilledError()))
        with pytest.raises(KilledError):
            main(["predict", "--model", "model.onnx", *words])
    written(Path("other.onnx"), colours(version="0.0.9"))
    assert main(["predict", "--model", "other.onnx", *words]) == 0
    assert "an unfinished table with other model; left as it is" in capsys.readouterr().out


WRONG = {
    "--model none.onnx photos": "--model none.onnx: no such file; check the path",
    "--model model.onnx nowhere": "data.root nowhere: no such file or folder",
    "--model model.onnx": "data.root []: names nothing",
    "--model model.onnx photos --ckpt_path last": "--ckpt_path last: not together with --model",
    "--model model.onnx photos --weights a.safetensors": "--weights a.safetensors: not together with --model",
    "--model model.onnx photos --config a.yaml": "--config a.yaml: a config is read beside a checkpoint",
    "--model model.onnx photos --trainer.accelerator cpu": "--trainer.accelerator cpu: onnxruntime computes on the CPU",
    "--model model.onnx photos --model.net.dim 3": "--model.net.dim 3: net and preprocessing are inside of the model",
    "--model model.onnx photos --predictions.temperature 2": "the temperature is inside of the model",
    "--model model.onnx photos --predictions.features true": "the model gives probabilities alone",
    "--model model.onnx photos --report.write true": "vitcli report makes a page of any table",
    "--model model.onnx photos --data.cache ram": "unrecognized arguments: --data.cache ram; see vitcli predict -h",
    "--model model.onnx photos --data ManifestData": "--data: invalid choice: 'ManifestData'",
    "--model model.onnx photos --data.batch_size 0": "data.batch_size 0: below 1",
    "--model model.onnx photos --data.num_workers -1": "data.num_workers -1: below 0",
    "--model model.onnx photos --data.max_pixels 0": "data.max_pixels 0: below 1",
    "--model model.onnx photos --data.follow_links maybe": "maybe is neither true nor false",
    "--model model.onnx photos --predictions.max_errors 2": "predictions.max_errors 2.0: outside [0, 1]",
    "--model model.onnx photos --predictions.threshold 0.5": "predictions.threshold 0.5: is for two classes",
    "--model model.onnx photos --predictions.threshold nan": "predictions.threshold nan: outside [0, 1]",
    "--model model.onnx photos --predictions.path t.txt": "predictions.path t.txt: its ending .txt is no format",
    "--model model.onnx photos --predictions.sort_by copy": "predictions.sort_by copy: not beside",
    "--model model.onnx photos --predictions.sort_into photos/s": "sort_into photos/s: lies among the images",
    "--model model.pt2 photos": "--model model.pt2: is no .onnx; name one that vitcli export has written",
    "--model=model.py photos": "--model model.py: is no .onnx; name one",
    "--model model.onnx photos --run.name a/b": "--run.name 'a/b': not a folder name",
    "--model model.onnx photos more --data FolderData": "data.root photos more: FolderData takes one path",
}


@pytest.mark.usefixtures("room")
@pytest.mark.parametrize("words", WRONG)
def test_a_mistake_is_one_line_and_leaves_nothing_behind(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(Path().rglob("*"))
    assert main(["predict", *words.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("vitcli predict: error: ")
    assert WRONG[words] in err
    assert err.count("\n") == 1
    assert [path for path in sorted(Path().rglob("*")) if path not in before] in ([], [Path("runs")])


@pytest.mark.shared_data
def test_odd_files_have_the_same_verdicts_sizes_and_numbers_as_with_torch(shared_data: Path, here: Path) -> None:
    odd = shared_data / "odd_images"
    written(here / "model.onnx", colours(size=(48, 48)))
    light("predict", "--model", "model.onnx", "--data.root", str(odd), "--predictions.path", "t.csv")
    # here torch is imported, and resamples the pictures
    with_torch = OnnxPredictor("model.onnx").predict(odd)
    assert "torch" in sys.modules
    assert rows("t.csv") == with_torch
    assert len(with_torch) == 172


@pytest.mark.usefixtures("room")
def test_parquet_without_pyarrow_is_refused_before_anything_is_predicted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["predict", "model.onnx", "photos", "--predictions.path", "t.parquet"]) == 2
    assert "predictions.path t.parquet: needs pyarrow" in capsys.readouterr().err


PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_folder(here: Path) -> None:
    written(here / "model.onnx", colours())
    picture(0, 0, (300, 200)).save("0.png")
    peaks = []
    for count in (100, 1600):
        Path(str(count)).mkdir()
        for number in range(count):
            os.link("0.png", f"{count}/{number}.png")
        words = [sys.executable, "-c", LIGHT, "predict", "model.onnx", str(count), "--predictions.path", f"{count}.csv"]
        done = subprocess.run([sys.executable, "-c", PEAK, *words], capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout))
    assert peaks[1] - peaks[0] < 30e6


@pytest.mark.slow
def test_an_exported_run_predicts_as_its_checkpoint_does(copied: Path, here: Path) -> None:
    # pictures of every size and kind beside those it was trained on
    for number, size in enumerate([(61, 40), (300, 500), (7, 9), (33, 32), (1000, 30)]):
        photo(number, size).save(f"photos/test/circle/{number}.jpg")
    Path("photos/test/square/none.png").write_bytes(b"no picture")
    assert main(["export", str(copied), "--out", "model.onnx"]) == 0
    for number, options in enumerate([[], ["--predictions.tta", "flip"], ["--predictions.threshold", "0.4"]]):
        words = ["--data", "FolderData", "--data.root", "photos", "--predictions.path", f"{number}.csv", *options]
        assert main(["predict", str(copied), *words, *CPU]) == 0
        light("predict", "--model", "model.onnx", *words[: -1 - len(options)], f"light{number}.csv", *options)
        for ours, theirs in zip(rows(f"light{number}.csv"), rows(f"{number}.csv"), strict=True):
            assert ours.probabilities == pytest.approx(theirs.probabilities, abs=1e-4)
            same = {"probabilities": (), "confidence": None}
            assert replace(ours, **same) == replace(theirs, **same)
