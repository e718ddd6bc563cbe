"""A net whose weights are loaded next is built without drawing any; others are as they always were."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch

from vitcli.net import Linformer, VanillaTransformer, ViT
from vitcli.net.kernels.undrawn import undrawn
from vitcli.weights import open_net, save_tensors

BACKENDS = [partial(VanillaTransformer, depth=2, heads=2), partial(Linformer, depth=2, heads=2, k=2)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_net_that_is_undrawn_has_the_same_tensors_as_zeros(backend: partial) -> None:
    torch.manual_seed(0)
    drawn = ViT(image_size=16, patch_size=8, dim=16, classes=3, backend=backend).state_dict()
    with undrawn():
        net = ViT(image_size=16, patch_size=8, dim=16, classes=3, backend=backend)
    assert net.state_dict().keys() == drawn.keys()
    assert all(parameter.requires_grad for parameter in net.parameters())
    assert not net.state_dict()["backend.blocks.1.attention.qkv.weight"].any()
    torch.manual_seed(0)
    again = ViT(image_size=16, patch_size=8, dim=16, classes=3, backend=backend).state_dict()
    assert all(torch.equal(again[name], drawn[name]) for name in drawn)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_file_is_read_as_it_was_written(backend: partial, tmp_path: Path) -> None:
    net = ViT(image_size=16, patch_size=8, dim=16, classes=3, backend=backend)
    save_tensors(net, tmp_path / "net.safetensors")
    read = open_net(tmp_path / "net.safetensors").state_dict()
    assert all(torch.equal(read[name], tensor) for name, tensor in net.state_dict().items())
