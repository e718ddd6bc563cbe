"""The program of docs/deploy.md, in a process that has neither vitcli nor torch, gives vitcli's predictions."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from PIL import Image

from tests.conftest import REPOSITORY, photo
from vitcli import Predictor
from vitcli.weights import open_net, save_tensors
from vitcli.weights.open import open_pretrained

# what may be imported is what the document says: onnxruntime, numpy, Pillow and Python itself
BARE = """
import runpy, sys
for name in ("torch", "vitcli", "torchvision", "lightning", "onnx", "scipy"):
    sys.modules[name] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def program() -> str:
    text = (REPOSITORY / "docs" / "deploy.md").read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)[0]


def test_the_program_is_short() -> None:
    assert len([line for line in program().splitlines() if line.strip()]) <= 25


@pytest.mark.parametrize("resize", ["center_crop", "squash", "pad"])
def test_the_program_gives_vitclis_predictions(resize: str, trained: Path, exported: Path, here: Path) -> None:
    (here / "predict.py").write_text(program(), encoding="utf-8")
    opened = open_pretrained(str(trained))
    preprocess = opened.preprocess | {"resize": resize, "crop_fraction": 0.9, "interpolation": "bilinear"}
    threshold = 0.5 if resize == "squash" else None
    model = onnx.load(exported)
    (entry,) = model.metadata_props
    told = json.loads(entry.value)
    told["preprocess"] |= {"resize": resize, "crop_fraction": 0.9, "interpolation": "bilinear"}
    entry.value = json.dumps(told | {"threshold": threshold})
    onnx.save(model, here / "model.onnx")
    save_tensors(opened.net, here / "net.safetensors", preprocess=preprocess, classes=list(opened.names()))
    names = ["wide.png", "tall.jpg", "grey.png", "turned.jpg"]
    photo(1, (90, 40)).save("wide.png")
    photo(2, (30, 70)).save("tall.jpg", quality=95)
    photo(3, (50, 50)).convert("L").save("grey.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(4, (60, 44)).save("turned.jpg", quality=95, exif=exif)
    ended = subprocess.run(
        [sys.executable, "-c", BARE, "predict.py", "model.onnx", *names], capture_output=True, text=True, check=True
    )
    said = [json.loads(line) for line in ended.stdout.splitlines()]
    rows = Predictor("net.safetensors", threshold=threshold).predict(names)
    assert [one["path"] for one in said] == names
    assert [one["predicted"] for one in said] == [row.predicted for row in rows]
    for one, row in zip(said, rows, strict=True):
        # Pillow resamples within a grey level of vitcli, and decodes a large JPEG whole
        assert one["probabilities"] == pytest.approx(row.probabilities, abs=0.01)


@pytest.mark.slow
@pytest.mark.shared_data
def test_the_program_agrees_on_real_photos(shared_data: Path, here: Path) -> None:
    from vitcli.__main__ import main

    weights = shared_data / "weights" / "deit_tiny_patch16_224.safetensors"
    photos = str(shared_data / "pets")
    assert main(["export", "--weights", str(weights), "--out", "model.onnx", "--images", photos]) == 0
    (here / "predict.py").write_text(program(), encoding="utf-8")
    files = [str(path) for path in sorted((shared_data / "pets").rglob("*.jpg"))[::9]]
    ended = subprocess.run(
        [sys.executable, "-c", BARE, "predict.py", "model.onnx", *files], capture_output=True, text=True, check=True
    )
    said = [json.loads(line) for line in ended.stdout.splitlines()]
    names = open_pretrained(str(weights)).names()
    rows = Predictor(str(weights)).predict(files)
    for one, row in zip(said, rows, strict=True):
        for name, share in row.top:
            assert one["probabilities"][names.index(name)] == pytest.approx(share, abs=0.01)
        # of two classes that are as likely to within that, either may come first
        assert one["predicted"] == row.predicted or row.top[0][1] - row.top[1][1] < 0.01
    assert sum(one["predicted"] == row.predicted for one, row in zip(said, rows, strict=True)) >= len(rows) - 2
    assert open_net(weights).classes == len(said[0]["probabilities"])
