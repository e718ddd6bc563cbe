"""Weights from elsewhere, through the real program: fit and predict from them, and refuse what is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
import yaml
from safetensors.torch import save_file

from tests.conftest import CPU
from vitcli.__main__ import main
from vitcli.table.rows import read_rows
from vitcli.train import Classifier
from vitcli.weights import open_net, save_tensors
from vitcli.weights.files import read_metadata

HEADS = ["--heads", "2"]


@pytest.fixture
def peer(here: Path) -> Path:
    """A small timm ViT with random tensors everywhere, as a file."""
    torch.manual_seed(0)
    net = timm.models.VisionTransformer(img_size=16, patch_size=8, embed_dim=16, depth=2, num_heads=2, num_classes=3)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    save_file(net.state_dict(), here / "peer.safetensors")
    torch.save({"net": net.state_dict()}, here / "kept.pt")
    return here / "peer.safetensors"


@pytest.fixture
def ours(peer: Path) -> Path:
    Path("names.txt").write_text("circle\nn01440764 square, block\nstar\n")
    words = ["import", "peer.safetensors", *HEADS, "--classes", "names.txt", "--out", "ours.safetensors"]
    assert main(words) == 0
    return Path("ours.safetensors")


def test_import_writes_the_same_function(ours: Path):
    timms = timm.models.VisionTransformer(img_size=16, patch_size=8, embed_dim=16, depth=2, num_heads=2, num_classes=3)
    timms.load_state_dict(torch.load("kept.pt", weights_only=True)["net"])
    images = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(open_net(ours)(images), timms.eval()(images), rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (b"\xef\xbb\xbfcircle\r\n square \r\n\r\nstar\r\n \r\n", ["circle", "square", "star"]),
        (b"n00000001\nn00000002\nn00000003 a star", ["n00000001", "n00000002", "a star"]),
        ("a\u2028b\nc\nd\n".encode(), ["a\u2028b", "c", "d"]),
    ],
)
def test_names_are_the_lines_of_the_file_and_never_empty(peer: Path, content: bytes, names: list[str]):
    Path("names.txt").write_bytes(content)
    assert main(["import", "peer.safetensors", *HEADS, "--classes", "names.txt", "--out", "o.safetensors"]) == 0
    assert read_metadata(Path("o.safetensors"))["classes"] == names


def test_backbone_leaves_all_of_the_head_to_train_and_tells_what_is_frozen_as_drawn(
    ours: Path, photos: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["fit", "--weights", "ours.safetensors", "--data.root", "photos", *CPU, "--trainer.max_epochs", "1"]
    words += ["--model.freeze", "[backbone]", "--model.net.pre_logits", "8", "--run.name", "r"]
    assert main(words) == 0
    assert "frozen as drawn" not in capsys.readouterr().out
    trained = Classifier.load_from_checkpoint("runs/r/checkpoints/last.ckpt").net
    names = {name for name, parameter in trained.named_parameters() if parameter.requires_grad}
    assert names == {"head.weight", "head.bias", "pre_logits.weight", "pre_logits.bias"}
    assert main([*words[:-1], "s", "--model.net.pool", "attention"]) == 0
    assert "model.freeze: attention_pool.query: frozen as drawn at random" in capsys.readouterr().out


def test_predict_names_the_classes_that_were_imported(ours: Path, photos: Path):
    assert main(["predict", "--weights", "ours.safetensors", "--data.root", "photos/test", *CPU]) == 0
    rows = list(read_rows(Path("runs/ours/predictions.csv")))
    assert len(rows) == 7
    assert {row.predicted for row in rows} <= {"circle", "square, block", "star"}


@pytest.mark.parametrize(("count", "names"), [(1000, "ImageNet's"), (3, "numbers"), (1000, "typed")])
def test_predict_takes_a_thousand_nameless_classes_for_imagenets_and_says_so(
    count: int, names: str, photos: Path, capsys: pytest.CaptureFixture[str]
):
    peer = timm.models.VisionTransformer(16, 8, embed_dim=192, depth=1, num_heads=3, num_classes=count)
    torch.nn.init.zeros_(peer.head.weight)
    with torch.no_grad():
        peer.head.bias.copy_(torch.arange(count) == count - 1)
    save_file(peer.state_dict(), "peer.safetensors")
    Path("typed.yaml").write_text(yaml.safe_dump({"model": {"classes": [f"own {number}" for number in range(count)]}}))
    typed = ["--config", "typed.yaml"] if names == "typed" else []
    assert main(["predict", *typed, "--weights", "peer.safetensors", "--data.root", "photos/test", *CPU]) == 0
    last = {"ImageNet's": "toilet tissue", "numbers": "class_2", "typed": "own 999"}[names]
    assert {row.predicted for row in read_rows(Path("runs/peer/predictions.csv"))} == {last}
    assert ("taken for ImageNet's" in capsys.readouterr().out) == (names == "ImageNet's")


def test_fit_takes_the_net_and_leaves_a_head_of_other_classes_fresh(
    ours: Path, photos: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["--weights", "ours.safetensors", "--data.root", "photos", "--trainer.max_epochs", "1", *CPU]
    assert main(["fit", *words, "--model.freeze", "[backbone]", "--model.optimizer.layer_decay", "0.5"]) == 0
    assert "left fresh: head.weight, head.bias" in capsys.readouterr().out
    trained = Classifier.load_from_checkpoint("runs/photos/checkpoints/last.ckpt")
    begun = open_net(ours).state_dict()
    for name, tensor in trained.net.state_dict().items():
        if not name.startswith("head."):
            assert torch.equal(tensor, begun[name]), name
    assert main(["test", "--ckpt_path", "runs/photos", *CPU]) == 0
    assert main(["fit", "--ckpt_path", "runs/photos", "--trainer.max_epochs", "2"]) == 0


def test_weights_without_a_head_start_a_training_and_predict_nothing(photos: Path, capsys: pytest.CaptureFixture[str]):
    peer = timm.models.VisionTransformer(img_size=16, patch_size=8, embed_dim=192, depth=1, num_heads=3, num_classes=0)
    save_file(peer.state_dict(), "bare.safetensors")
    told = "weights bare.safetensors: hold no head, so they know no classes; train one with vitcli fit --weights bare"
    words = ["--weights", "bare.safetensors", "--data.root", "photos", "--trainer.max_epochs", "1", *CPU]
    for refused in (["predict", *words], ["import", "bare.safetensors", "--out", "x.safetensors"]):
        assert main(refused) == 2
        assert told in capsys.readouterr().err
    assert main(["fit", *words, "--model.freeze", "[backbone]"]) == 0
    assert "left fresh: head.weight, head.bias" in capsys.readouterr().out
    trained = Classifier.load_from_checkpoint("runs/photos/checkpoints/last.ckpt").net
    images = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(trained.pooled(trained.features(images)), peer.eval()(images), rtol=0, atol=2e-5)
    assert trained.classes == 2


@pytest.mark.parametrize("backend", [pytest.param("VanillaTransformer", marks=pytest.mark.slow), "Linformer"])
def test_fit_takes_weights_to_another_size_of_picture(
    ours: Path, photos: Path, capsys: pytest.CaptureFixture[str], backend: str
):
    words = ["--weights", "ours.safetensors", "--data.root", "photos", "--trainer.max_epochs", "1", *CPU]
    words += ["--model.net.image_size", "32", "--model.net.backend", backend]
    words += ["--model.net.backend.k", "4", "--model.net.backend.proj_init", "avgpool"] if "Lin" in backend else []
    assert main(["fit", *words]) == 0
    assert "resampled: pos_embed" in capsys.readouterr().out


@pytest.mark.parametrize("weights", ["runs/photos/checkpoints/best.ckpt", "runs/photos", "runs/photos/"])
def test_a_checkpoint_or_a_run_starts_a_new_run_through_weights(
    weights: str, copied: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["--weights", weights, "--data.root", "photos", *CPU]
    assert main(["fit", *words, "--trainer.max_epochs", "1"]) == 0
    assert Path("runs/photos-2").is_dir()
    assert "left fresh" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--weights", "nowhere.pt"], "--weights nowhere.pt"),
        (["--weights", "peer.safetensors"], "heads"),
        (["--weights", "cut.safetensors"], "cut.safetensors"),
        (["--weights", "text.pt"], "text.pt"),
        (["--weights", "code.pt"], "run code"),
        (["--weights", "ours.safetensors", "--model.net.dim", "32"], "dim"),
        (["--weights", "ours.safetensors", "--ckpt_path", "last"], "--weights ours.safetensors"),
        (["--weights", "ours.safetensors", "--model.freeze", "[nothing.*]"], "model.freeze nothing.*"),
        (
            ["--weights", "ours.safetensors", "--model.freeze", "['*']"],
            "model.freeze *: leaves nothing to train; freeze",
        ),
        (
            ["--weights", "ours.safetensors", "--model.net.image_size", "0"],
            "model.net.image_size 0: must be at least 1",
        ),
        (
            ["--model.net.backend.mlp_ratio", "1e30"],
            "model.net.backend.mlp_ratio 1e+30: absurdly large; at most 1,048,",
        ),
        (["--model.net.dim", "1000000000"], "model.net.dim 1000000000: absurdly large; at most 1,048,576"),
        (["--model.net.registers", "-1"], "model.net.registers -1: must be at least 0"),
    ],
)
def test_weights_that_are_none_get_one_line(
    ours: Path, photos: Path, capsys: pytest.CaptureFixture[str], words: list[str], named: str
):
    Path("cut.safetensors").write_bytes(ours.read_bytes()[:900])
    Path("text.pt").write_text("hello")
    torch.save({"a": Path}, "code.pt")
    capsys.readouterr()
    assert main(["fit", "--data.root", "photos", *words, *CPU]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert named in err
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ([], "heads"),
        (["--heads", "3"], "heads"),
        ([*HEADS, "--source", "torchvision"], "timm"),
        ([*HEADS, "--classes", "one.txt"], "--classes one.txt"),
        ([*HEADS, "--out", "w.bin"], "--out w.bin"),
        ([*HEADS, "--out", ""], "--out '': "),
        ([*HEADS, "--out", "peer.safetensors"], "--out peer.safetensors: is there, and is none that --out writes"),
        ([*HEADS, "--out", "peer.safetensors/w.safetensors"], "peer.safetensors is in the way"),
        ([*HEADS, "--bogus", "1"], "--bogus"),
    ],
)
def test_a_mistaken_import_gets_one_line(peer: Path, capsys: pytest.CaptureFixture[str], words: list[str], named: str):
    Path("one.txt").write_text("cat\n")
    assert main(["import", "peer.safetensors", "--out", "w.safetensors", *words]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert named in err
    assert not Path("w.safetensors").exists()


def test_an_import_replaces_an_earlier_one(ours: Path):
    words = ["import", "peer.safetensors", *HEADS, "--out", "ours.safetensors"]
    assert main(words) == 0
    assert "classes" not in read_metadata(ours)


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (lambda tensor: tensor.to(torch.int8), "head.weight holds int8, not floating-point numbers"),
        (lambda tensor: tensor.to(torch.complex64), "head.weight holds complex64, not floating-point numbers"),
        (lambda tensor: tensor.fill_(torch.nan), "head.weight holds nan or inf"),
        (lambda tensor: tensor.index_fill(1, torch.tensor([2]), -torch.inf), "head.weight holds nan or inf"),
    ],
)
@pytest.mark.parametrize("verb", ["import", "fit"])
def test_tensors_that_are_no_finite_real_numbers_are_named(
    peer: Path,
    photos: Path,
    capsys: pytest.CaptureFixture[str],
    broken: Callable[[torch.Tensor], torch.Tensor],
    told: str,
    verb: str,
):
    # heads are as published for this width
    net = timm.models.VisionTransformer(img_size=16, patch_size=8, embed_dim=192, depth=1, num_heads=3, num_classes=3)
    state = net.state_dict()
    save_file({**state, "head.weight": broken(state["head.weight"])}, "broken.safetensors")
    words = ["broken.safetensors", "--out", "w.safetensors"]
    if verb == "fit":
        words = ["--weights", "broken.safetensors", "--data.root", "photos", *CPU]
    assert main([verb, *words]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert f"weights broken.safetensors: {told}" in err
    assert not Path("w.safetensors").exists()
    assert not Path("runs").exists()


@pytest.mark.parametrize("value", [{"class_path": "evil.Evil"}, {"mean": {"class_path": "evil.Evil"}}, ["evil.Evil"]])
def test_weights_that_name_a_module_import_nothing(
    ours: Path, photos: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, value: object
):
    Path("evil.py").write_text("from pathlib import Path\nPath('executed').touch()\nclass Evil:\n    pass\n")
    monkeypatch.syspath_prepend(".")
    save_tensors(open_net(ours), "bad.safetensors", preprocess=value)
    capsys.readouterr()
    assert main(["fit", "--weights", "bad.safetensors", "--data.root", "photos", *CPU]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not Path("executed").exists()
