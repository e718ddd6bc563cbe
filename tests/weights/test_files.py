"""Files: ours say what net they are; what is broken, or holds code, is refused in one line."""

from __future__ import annotations

import pickle
import subprocess
import warnings
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from vitcli.errors import WeightsError
from vitcli.net import Linformer, ViT
from vitcli.weights import import_net, open_net, read_metadata, read_tensors, save_tensors

NETS = {
    "vanilla": {},
    "sincos": {"positions": "sincos", "class_token": False, "pool": "mean"},
    "layerwise": {"backend": partial(Linformer, depth=2, heads=2, k=5, sharing="layerwise")},
    "kv": {"backend": partial(Linformer, depth=2, heads=2, k=(5, 3), sharing="kv")},
    "conv": {"backend": partial(Linformer, depth=2, heads=2, k=5, projection="conv", sharing="none")},
    "avgpool": {"backend": partial(Linformer, depth=2, heads=2, k=5, projection="avgpool")},
}


def small(**chosen):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return ViT(**{"image_size": 32, "patch_size": 8, "dim": 16, "classes": 3, **chosen}).eval()


@pytest.mark.parametrize("kind", NETS)
def test_a_net_comes_back_from_its_file(tmp_path, kind):
    net, path = small(**NETS[kind]), tmp_path / "net.safetensors"
    save_tensors(net, path, labels=["cat", "dog", "eel"])
    again = open_net(path)
    assert again.settings() == net.settings()
    assert read_metadata(path)["labels"] == ["cat", "dog", "eel"]
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(again(images), net(images))
    assert [file.name for file in tmp_path.iterdir()] == ["net.safetensors"]


@pytest.fixture
def timm_state():
    vit = pytest.importorskip("timm.models.vision_transformer")
    return vit.VisionTransformer(img_size=32, patch_size=8, embed_dim=24, depth=2, num_heads=4).state_dict()


def test_a_peers_file_is_opened_too(tmp_path, timm_state):
    save_file(timm_state, tmp_path / "a.safetensors")
    torch.save({"model": timm_state, "epoch": 3}, tmp_path / "b.pth")
    torch.save(timm_state, tmp_path / "c.bin", _use_new_zipfile_serialization=False)
    for path in tmp_path.iterdir():
        assert torch.equal(open_net(path, heads=4).head.weight, timm_state["head.weight"])
        assert read_metadata(path) == {}
    with pytest.raises(WeightsError, match=r"^weights .*a\.safetensors: blocks\.0\.attn\.qkv\.weight does not show"):
        open_net(tmp_path / "a.safetensors")


def test_a_file_of_ours_needs_no_words(tmp_path):
    save_tensors(small(), tmp_path / "net.safetensors")
    with pytest.raises(WeightsError, match=r"net\.safetensors: says itself what net it is; leave out heads$"):
        open_net(tmp_path / "net.safetensors", heads=3)
    with pytest.raises(WeightsError, match="vitcli's own tensors; open the file they came from"):
        import_net(load_file(tmp_path / "net.safetensors"))


class Code:
    """What a pickle may do when it is opened."""

    def __reduce__(self):
        return subprocess.check_call, (["touch", "opened"],)


def broken(folder, kind):
    whole = folder / "whole"
    state = {"weight": torch.randn(64, 64)}
    if kind == "truncated safetensors":
        save_file(state, whole)
    else:
        torch.save(state, whole, _use_new_zipfile_serialization="zip" in kind)
    content = {
        "random": bytes(range(256)) * 40,
        "text": b"these are no weights\n" * 10,
        "empty": b"",
        "code": pickle.dumps(Code()),
        "code in a state dict": pickle.dumps({"weight": Code()}, protocol=2),
    }.get(kind, whole.read_bytes()[:-2000])
    whole.unlink()
    path = folder / "weights.bin"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("truncated safetensors", "a broken safetensors file: "),
        ("truncated zip", "neither safetensors nor a whole torch file"),
        ("truncated pickle", "neither safetensors nor a"),
        ("random", "neither safetensors nor a torch file"),
        ("text", "neither safetensors nor a torch file"),
        ("empty", "an empty file"),
        ("code", "may run code when it is opened, so it is not; save its tensors as safetensors"),
        ("code in a state dict", "may run code when it is opened, so it is not; save its tensors as safetensors"),
    ],
)
def test_a_broken_file_gets_one_line_and_no_code_runs(here, kind, reason):
    path = broken(here, kind)
    with pytest.raises(WeightsError) as caught:
        read_tensors(path)
    assert str(caught.value).startswith(f"weights {path}: {reason}")
    assert "\n" not in str(caught.value)
    assert not (here / "opened").exists()


def test_a_missing_file_a_folder_and_a_strange_header_are_named(tmp_path):
    for path, reason in ((tmp_path / "none", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(WeightsError, match=rf"^weights {path}: cannot be read: {reason}$"):
            read_tensors(path)
    save_file({"weight": torch.zeros(1)}, tmp_path / "odd.safetensors", metadata={"net": "{"})
    with pytest.raises(WeightsError, match=r"odd\.safetensors: a broken header: "):
        open_net(tmp_path / "odd.safetensors")
    save_file({"weight": torch.zeros(1)}, tmp_path / "odd.safetensors", metadata={"net": '{"dim": -3}'})
    with pytest.raises(WeightsError, match=r"odd\.safetensors: model\.net\.dim -3: must be at least 1"):
        open_net(tmp_path / "odd.safetensors")


@pytest.mark.parametrize(("held", "told"), [(torch.zeros(2), ", but a Tensor"), ([1], ", but a list"), ({}, "")])
def test_a_file_without_a_state_dict_is_named(tmp_path, held, told):
    torch.save(held, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=rf"^weights \S+w\.pth: hold no tensors{told}; a state dict is needed$"):
        read_tensors(tmp_path / "w.pth")


def test_an_exported_program_is_told_as_that(tmp_path: Path) -> None:
    (tmp_path / "net.pt2").write_bytes(b"PK")
    with pytest.raises(WeightsError, match=r"net.pt2: an exported program, for torch.export.load; name the run that"):
        read_tensors(tmp_path / "net.pt2")
