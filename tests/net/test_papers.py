"""The sizes of the papers: model/base, large, huge, giant and gigantic have the parameters that they state."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import timm
import torch
import yaml

from tests.conftest import REPOSITORY
from vitcli.net import VanillaTransformer, ViT
from vitcli.net.counts import parameters

# millions of parameters: Dosovitskiy et al. 2021, table 1; Zhai et al. 2022, table 2, in whole hundreds
PAPERS = {"base": 86, "large": 307, "huge": 632, "giant": 1000, "gigantic": 1800}
PEERS = {
    "base": "vit_base_patch16_224",
    "large": "vit_large_patch16_224",
    "huge": "vit_huge_patch14_224",
    "giant": "vit_giant_patch14_224",
    "gigantic": "vit_gigantic_patch14_224",
}


def said(config: str) -> dict[str, Any]:
    """What a config says of the net."""
    read: dict[str, Any] = yaml.safe_load((REPOSITORY / f"configs/{config}.yaml").read_text())
    net: dict[str, Any] = read["model"]["net"]
    return net


def net(overlay: str, classes: int, run: str | None = None) -> ViT:
    """The net that an overlay makes of the defaults, or of a run, without numbers."""
    before, over = said(run) if run else {}, said(f"model/{overlay}")
    settings = before | over
    backend = partial(VanillaTransformer, **(before.get("backend", {}) | settings.pop("backend")))
    with torch.device("meta"):
        return ViT(**settings, backend=backend, classes=classes)


@pytest.mark.parametrize("overlay", PAPERS)
def test_an_overlay_has_as_many_parameters_as_its_paper_states(overlay: str):
    found, stated = parameters(net(overlay, 1000)) / 1e6, PAPERS[overlay]
    if stated < 1000:
        # the table does not say of which patches and which head: L/16 has 304 million with one of ImageNet's, L/32 307
        assert found == pytest.approx(stated, rel=0.01)
    else:
        assert round(found, -2) == stated


@pytest.mark.parametrize("overlay", PEERS)
def test_an_overlay_has_the_tensors_of_timms_net_of_that_name(overlay: str):
    ours = net(overlay, 1000)
    with torch.device("meta"):
        peer = timm.create_model(PEERS[overlay], num_classes=1000)
    assert parameters(ours) == sum(parameter.numel() for parameter in peer.parameters())
    block, theirs = ours.backend.blocks[-1], peer.blocks[-1]
    assert block.mlp.fc1.weight.shape == theirs.mlp.fc1.weight.shape
    assert len(ours.backend.blocks) == len(peer.blocks)
    assert ours.backend.heads == theirs.attn.num_heads


@pytest.mark.parametrize("run", ["folder", "cats_dogs"])
@pytest.mark.parametrize("overlay", PAPERS)
def test_an_overlay_makes_the_same_net_of_a_run_with_another_stem_and_other_patches(overlay: str, run: str):
    assert parameters(net(overlay, 2, run)) == parameters(net(overlay, 2))
