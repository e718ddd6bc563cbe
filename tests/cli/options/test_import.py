"""What is typed for vitcli import makes another net, or is refused where the tensors say otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from vitcli.__main__ import main
from vitcli.net import ViT
from vitcli.weights import open_net

CHANGED: dict[str, tuple[list[str], Callable[[ViT], Any]]] = {
    "--heads": (["6"], lambda net: net.backend.heads == 6),
    "--pool": (["mean"], lambda net: net.pool == "mean"),
    "--norm_eps": (["0.01"], lambda net: net.norm_eps == 0.01),
    "--activation": (["quick_gelu"], lambda net: net.backend.activation == "quick_gelu"),
    "--image_size": (["32"], lambda net: net.image_size == (32, 32)),
    "--patch_size": (["8", "8"], lambda net: net.patch_size == (8, 8)),
    "--source": (["timm"], lambda net: net.classes == 3),
}
REFUSED = {
    "image_size": (["64"], "image_size 64 makes 64 patches"),
    "patch_size": (["4"], "patch_size 4, but patch_embed.proj.weight"),
    "source": (["torchvision"], "source torchvision, but these are names of timm"),
}


@pytest.fixture
def peer(here: object) -> None:
    vit = pytest.importorskip("timm.models.vision_transformer")
    torch.manual_seed(0)
    net = vit.VisionTransformer(img_size=32, patch_size=8, embed_dim=24, depth=1, num_heads=4, num_classes=3)
    save_file(net.state_dict(), "peer.safetensors")


@pytest.mark.usefixtures("peer")
@pytest.mark.parametrize("option", CHANGED)
def test_every_option_of_import_is_seen_in_the_net_that_it_writes(option: str) -> None:
    words, is_so = CHANGED[option]
    heads = [] if option == "--heads" else ["--heads", "4"]
    assert main(["import", "peer.safetensors", "--out", "ours.safetensors", *heads, option, *words]) == 0
    assert is_so(open_net("ours.safetensors"))


@pytest.mark.usefixtures("peer")
@pytest.mark.parametrize("option", REFUSED)
def test_what_the_tensors_contradict_is_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    words, why = REFUSED[option]
    assert main(["import", "peer.safetensors", "--out", "x.safetensors", "--heads", "4", f"--{option}", *words]) == 2
    assert why in capsys.readouterr().err


@pytest.mark.usefixtures("peer")
def test_a_third_side_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "peer.safetensors", "--out", "x.safetensors", "--image_size", "1", "2", "3"]) == 2
    assert capsys.readouterr().err.startswith("vitcli import: error: --image_size 1 2 3: more than two numbers")


def test_what_is_said_of_a_checkpoint_is_refused(copied: object, capsys: pytest.CaptureFixture[str]) -> None:
    for file in ("runs/photos", "runs/photos/checkpoints/best.ckpt"):
        assert main(["import", file, "--out", "x.safetensors", "--heads", "2"]) == 2
        assert "a checkpoint says itself what net it is; leave out heads" in capsys.readouterr().err
