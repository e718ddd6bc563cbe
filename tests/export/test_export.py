"""vitcli export: what is in the file, that it agrees with the net, and that one which does not is never kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file

from vitcli import Predictor, __version__
from vitcli.__main__ import main
from vitcli.export import check, write
from vitcli.export.pictures import find_pictures
from vitcli.export.subject import Subject
from vitcli.weights import read_metadata


def told_in(out: Path) -> dict[str, Any]:
    """vitcli's metadata in an exported file of any kind."""
    if out.suffix == ".onnx":
        return json.loads(onnxruntime.InferenceSession(out).get_modelmeta().custom_metadata_map["vitcli"])
    if out.suffix == ".pt2":
        extra = {"vitcli": ""}
        torch.export.load(out, extra_files=extra)
        return json.loads(extra["vitcli"])
    return read_metadata(out)["vitcli"]


def expected(run: Path) -> tuple[np.ndarray, np.ndarray]:
    """The val pictures of a run in the size of its net, and what Predictor answers to them."""
    subject = Subject.open(str(run / "checkpoints" / "best.ckpt"))
    pixels = find_pictures(subject).pixels
    # in the net's own size nothing is cropped
    predictor = Predictor(run)
    files = sorted((run.parent / "photos" / "val").rglob("*.png"))
    return pixels, np.array([row.probabilities for row in predictor.predict(list(map(str, files)))])


def test_an_onnx_gives_vitclis_probabilities_of_pixels(trained: Path, exported: Path) -> None:
    pixels, ours = expected(trained)
    session = onnxruntime.InferenceSession(exported)
    (put_in,), (given_out,) = session.get_inputs(), session.get_outputs()
    assert (put_in.name, put_in.type, put_in.shape) == ("pixels", "tensor(uint8)", ["batch", 16, 16, 3])
    assert (given_out.name, given_out.type, given_out.shape) == ("probabilities", "tensor(float)", ["batch", 2])
    for size in (1, 3, 8):
        (theirs,) = session.run(None, {"pixels": pixels[:size]})
        assert np.abs(theirs - ours[:size]).max() < 1e-6


def test_metadata_says_what_a_script_needs(trained: Path, exported: Path) -> None:
    told = told_in(exported)
    assert told.keys() == {
        "format", "version", "classes", "preprocess", "temperature", "threshold", "quantize", "net", "probabilities"
    }  # fmt: skip
    assert told["classes"] == ["circle", "square"]
    assert told["version"] == __version__
    assert told["preprocess"]["size"] == [16, 16]
    assert told["net"]["backend"]["class_path"] == "vitcli.net.VanillaTransformer"
    assert (told["temperature"], told["threshold"], told["quantize"]) == (1.0, None, "none")


def test_an_onnx_names_no_folder_of_this_machine(exported: Path) -> None:
    content = exported.read_bytes()
    assert str(Path(write.__file__).parents[2]).encode() not in content
    assert b"stack_trace" not in content
    assert onnx.load(exported).opset_import[0].version == 20


def test_a_pt2_and_safetensors_hold_the_same_and_answer_the_same(trained: Path, here: Path) -> None:
    pixels, ours = expected(trained)
    words = ["--temperature", "2.5", "--threshold", "0.4"]
    for name, typed, asked in (("model.pt2", words, (2.5, 0.4)), ("model.safetensors", [], (1.0, None))):
        assert main(["export", str(trained), "--out", name, *typed]) == 0
        told = told_in(Path(name))
        assert (told["temperature"], told["threshold"], told["classes"]) == (*asked, ["circle", "square"])
    theirs = torch.export.load("model.pt2").module()(torch.from_numpy(pixels)).numpy()
    softer = ours ** (1 / 2.5)
    assert np.abs(theirs - softer / softer.sum(axis=1, keepdims=True)).max() < 1e-5
    files = [str(path) for path in sorted((trained.parent / "photos" / "val").rglob("*.png"))]
    again = [row.probabilities for row in Predictor("model.safetensors").predict(files)]
    assert np.array_equal(np.array(again), ours)
    assert Path("model.safetensors").stat().st_mode & 0o444 == Path("model.pt2").stat().st_mode & 0o444
    assert b"/vitcli/net/" not in Path("model.pt2").read_bytes()


@pytest.mark.slow
def test_a_fixed_batch_is_what_the_graph_takes(trained: Path, here: Path) -> None:
    assert main(["export", str(trained), "--out", "m.onnx", "--batch", "3"]) == 0
    assert onnxruntime.InferenceSession("m.onnx").get_inputs()[0].shape == [3, 16, 16, 3]


@pytest.mark.slow
def test_int8_prints_what_it_costs_and_gains(trained: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(trained), "--out", "m.onnx", "--quantize", "int8", "--max_changed", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["accuracy", "size", "pictures/s", "speed"]
    assert [line.split()[0] for line in lines[2:4]] == ["fp32", "int8"]
    operators = {node.op_type for node in onnx.load("m.onnx").graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= operators
    assert told_in(Path("m.onnx"))["quantize"] == "int8"


@pytest.mark.slow
def test_fp16_halves_the_weights(trained: Path, exported: Path, here: Path) -> None:
    assert main(["export", str(trained), "--out", "m.onnx", "--quantize", "fp16"]) == 0
    held = {each.name: each for each in onnx.load("m.onnx").graph.initializer}
    halved = [each for each in held.values() if each.data_type == onnx.TensorProto.FLOAT16]
    assert len(halved) >= 6
    assert not [each for each in held.values() if each.data_type == onnx.TensorProto.FLOAT and len(each.dims) > 1]
    assert Path("m.onnx").stat().st_size < exported.stat().st_size


def test_a_file_that_disagrees_is_refused_with_the_figure_and_not_kept(
    trained: Path, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = write.of_pt2
    monkeypatch.setattr(write, "of_pt2", lambda path: lambda pixels: right(path)(pixels) + np.float32(2e-4))
    assert main(["export", str(trained), "--out", "new/folder/m.pt2"]) == 2
    error = capsys.readouterr().err
    assert "the exported file disagrees with the net: largest probability difference 2.0e-04 on 8 pictures" in error
    assert error.endswith("more than 0.0001; nothing was written\n")
    assert list(here.iterdir()) == []


def test_labels_that_change_count_and_nan_is_no_agreement() -> None:
    ours = np.array([[0.6, 0.4], [0.49, 0.51]], dtype=np.float32)
    theirs = np.array([[0.6, 0.4], [0.505, 0.495]], dtype=np.float32)
    found = check.agreement(ours, theirs, None)
    assert (found.changed, round(found.difference, 6), round(found.mean, 6)) == (1, 0.015, 0.0075)
    with pytest.raises(
        check.ExportError, match=r"1 label changed on 2 pictures, more than a share of 0\.02 \(--max_changed\);"
    ):
        found.expect(check.LIMITS["int8"])
    assert check.agreement(ours, theirs, 0.4).changed == 0
    with pytest.raises(check.ExportError, match="difference nan"):
        check.agreement(ours, theirs * np.float32("nan"), None).expect(check.LIMITS["none"])


def test_without_val_it_is_tried_on_drawn_pictures_and_with_images_on_those(trained: Path, here: Path) -> None:
    alone = here / "alone.ckpt"
    alone.write_bytes((trained / "checkpoints" / "best.ckpt").read_bytes())
    subject = Subject.open(str(alone))
    assert find_pictures(subject).told == "64 drawn pictures"
    given = find_pictures(subject, str(trained.parent / "photos" / "val"))
    assert given.told == "8 images of val"
    assert sorted(given.labels.tolist()) == [0, 0, 0, 0, 1, 1, 1, 1]


REFUSED: dict[str, tuple[list[str], str]] = {
    "ending": (["RUN", "--out", "m.tflite"], "--out m.tflite: its ending says the format"),
    "quantize": (["RUN", "--out", "m.pt2", "--quantize", "int8"], "--quantize int8: is for .onnx"),
    "batch": (["RUN", "--out", "m.safetensors", "--batch", "2"], "--batch 2: --out m.safetensors holds tensors"),
    "batch of none": (["RUN", "--out", "m.onnx", "--batch", "0"], "0 is neither dynamic nor a number from 1"),
    "there already": (["RUN", "--out", "there.onnx"], "--out there.onnx: is there already"),
    "a file in the way": (["RUN", "--out", "there.onnx/m.onnx"], "there.onnx is a file, and no folder"),
    "no name": (["RUN", "--out", ""], "--out '': is no name of a file"),
    "no run": (["nothing", "--out", "m.onnx"], "nothing: no such file"),
    "no checkpoint": (["--ckpt_path", "nothing", "--out", "m.onnx"], "--ckpt_path nothing: no such file or run folder"),
    "nothing named": (["--out", "m.onnx"], "no run is named"),
    "two named": (["RUN", "--weights", "x", "--out", "m.onnx"], "and --weights x is named; name one"),
    "no out": (["RUN"], "error: wants --out FILE or --to-timm FILE"),
    "timm's ending": (["RUN", "--to-timm", "m.bin"], "--to-timm m.bin: timm's tensors are safetensors"),
    "timm quantized": (["RUN", "--to-timm", "m.safetensors", "--quantize", "fp16"], "--quantize: says nothing of timm"),
    "temperature": (["RUN", "--out", "m.onnx", "--temperature", "0"], "0 is neither auto nor a number above 0"),
    "threshold": (["RUN", "--out", "m.onnx", "--threshold", "2"], "threshold 2: outside [0, 1]"),
    "share": (["RUN", "--out", "m.onnx", "--max_changed", "2"], "2 is not from 0 to 1"),
    "no share": (["RUN", "--out", "m.onnx", "--max_changed", "half"], "--max_changed: half is not from 0 to 1"),
    "images": (["RUN", "--out", "m.onnx", "--images", "nowhere"], "--images nowhere: no such"),
    "threshold of tensors": (
        ["RUN", "--out", "m.safetensors", "--threshold", "0.4"],
        "--threshold: m.safetensors holds",
    ),
    "temperature of timm": (["RUN", "--to-timm", "m.safetensors", "--temperature", "2"], "--temperature: says nothing"),
    "no classes": (["headless.safetensors", "--out", "m.onnx"], "hold no head, so they know no classes"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_mistake_is_one_line_and_leaves_nothing(
    kind: str, trained: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "there.onnx").write_bytes(b"mine")
    if kind == "no classes":
        from safetensors.torch import save_file
        from timm.models.vision_transformer import VisionTransformer

        net = VisionTransformer(img_size=32, patch_size=8, embed_dim=192, depth=1, num_heads=3, num_classes=0)
        save_file(net.state_dict(), here / "headless.safetensors")
    before = sorted(here.iterdir())
    words, why = REFUSED[kind]
    assert main(["export", *(str(trained) if word == "RUN" else word for word in words)]) == 2
    error = capsys.readouterr().err
    assert why in error
    assert error.count("\n") == 1
    assert sorted(here.iterdir()) == before
    assert (here / "there.onnx").read_bytes() == b"mine"


def test_a_missing_extra_is_named(
    trained: Path, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "PACKAGES", ("onnx", "a_package_that_is_not_here"))
    assert main(["export", str(trained), "--out", "m.onnx"]) == 2
    assert capsys.readouterr().err.endswith(
        'm.onnx: needs a_package_that_is_not_here, not installed; pip install "vitcli[onnx]"\n'
    )


def test_temperature_auto_is_the_one_that_fits_val(trained: Path, here: Path) -> None:
    assert main(["export", str(trained), "--out", "m.pt2", "--temperature", "auto"]) == 0
    kept = json.loads((trained / "metrics.val.json").read_text(encoding="utf-8"))
    assert told_in(Path("m.pt2"))["temperature"] == kept["evaluation"]["calibrated"]["temperature"]


def test_to_timm_writes_what_timm_loads_from_its_folder(trained: Path, here: Path) -> None:
    import timm

    assert main(["export", str(trained), "--to-timm", "out/model.safetensors"]) == 0
    model = timm.create_model("local-dir:out", pretrained=True).eval()
    pixels, ours = expected(trained)
    subject = Subject.open(str(trained / "checkpoints" / "best.ckpt"))
    with torch.inference_mode():
        theirs = model(subject.preprocess.normalise(torch.from_numpy(pixels).permute(0, 3, 1, 2))).softmax(1).numpy()
    assert np.abs(theirs - ours).max() < 1e-6


def test_to_timm_never_leaves_the_config_of_another_net_beside_it(trained: Path, here: Path) -> None:
    Path("config.json").write_text('{"label_names": ["a", "b"]}')
    assert main(["export", str(trained), "--to-timm", "model.safetensors"]) == 0
    assert json.loads(Path("config.json").read_text())["label_names"] == ["circle", "square"]
    assert Path("config-1.json").read_text() == '{"label_names": ["a", "b"]}'
    # one that says the same stays alone
    Path("model.safetensors").unlink()
    assert main(["export", str(trained), "--to-timm", "model.safetensors"]) == 0
    assert [path.name for path in sorted(here.glob("config*"))] == ["config-1.json", "config.json"]


def test_the_onnx_runs_where_neither_vitcli_nor_torch_is(exported: Path) -> None:
    program = (
        "import sys; sys.modules['torch'] = sys.modules['vitcli'] = None\n"
        "import numpy, onnxruntime\n"
        f"session = onnxruntime.InferenceSession({str(exported)!r})\n"
        "print(session.run(None, {'pixels': numpy.zeros((2, 16, 16, 3), numpy.uint8)})[0].sum(1).tolist())"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(ended.stdout) == pytest.approx([1, 1])


def test_a_run_is_named_in_three_ways(trained: Path, here: Path) -> None:
    for name, words in (
        ("first", [str(trained)]),
        ("second", ["--ckpt_path", str(trained / "checkpoints" / "best.ckpt")]),
        ("third", ["--weights", str(trained)]),
        ("fourth", ["--weights", "first.safetensors"]),
    ):
        assert main(["export", *words, "--out", f"{name}.safetensors"]) == 0
    # the header's keys come in any order
    held = [read_metadata(f"{name}.safetensors") for name in ("first", "second", "third", "fourth")]
    assert held[1:] == held[:1] * 3
    tensors = [load_file(f"{name}.safetensors") for name in ("first", "second", "third", "fourth")]
    assert all(torch.equal(each[name], tensor) for each in tensors[1:] for name, tensor in tensors[0].items())
