"""The leading tokens of the last layer, computed alone, are what they are among all, and the rest is left out."""

from __future__ import annotations

import warnings
from functools import partial

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from vitcli.net import Linformer, VanillaTransformer, ViT
from vitcli.net.counts import macs

BACKENDS = {
    "vanilla": (VanillaTransformer, {}),
    "vanilla, every option": (
        VanillaTransformer,
        {"qkv_bias": False, "out_proj": "unbiased", "qk_norm": True, "layer_scale": 0.1, "activation": "quick_gelu"},
    ),
    "vanilla, checkpointed": (VanillaTransformer, {"activation_checkpointing": True}),
    "linformer": (Linformer, {"k": 3}),
    "linformer, projected late": (Linformer, {"k": 20, "qk_norm": True}),
    "linformer, a projection per head": (Linformer, {"k": 3, "sharing": "none"}),
    "linformer, one projection": (Linformer, {"k": 3, "sharing": "layerwise"}),
    "linformer, tied": (Linformer, {"k": 3, "tie_kv": True}),
    "linformer, one head of keys": (Linformer, {"k": 3, "one_kv_head": True}),
    "linformer, averaged": (Linformer, {"k": 4, "projection": "avgpool", "project_prefix": False}),
}


def made(name: str, **chosen):
    kind, options = BACKENDS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return ViT(32, 8, dim=16, classes=3, backend=partial(kind, depth=3, heads=2, **options), **chosen)


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("norm", ["before_pool", "after_pool", "none"])
def test_the_class_token_alone_has_the_logits_and_gradients_that_it_has_among_all(randomise, name, norm):
    net = randomise(made(name, registers=2, final_norm=norm)).train()
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64, requires_grad=True)
    alone, among = net(images), net.logits(net.pooled(net.features(images)))
    torch.testing.assert_close(alone, among, rtol=0, atol=1e-12)
    leaves = [images, *net.parameters()]
    for one, other in zip(
        torch.autograd.grad(alone.square().sum(), leaves),
        torch.autograd.grad(among.square().sum(), leaves),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", BACKENDS)
def test_any_number_of_leading_tokens_may_be_asked_for(randomise, name):
    net = randomise(made(name, registers=2))
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    for leading in (1, 3, 19):
        torch.testing.assert_close(net.features(images, leading), net.features(images)[:, :leading], rtol=0, atol=1e-12)


def test_a_pooled_class_token_leaves_out_the_queries_and_the_mlp_of_the_others():
    net = ViT(224, 32, dim=128, classes=2, backend=partial(VanillaTransformer, depth=12, heads=8)).to("meta")
    with FlopCounterMode(display=False) as counter:
        net(torch.empty(1, 3, 224, 224, device="meta"))
    left_out = 49 * (10 * 128**2 + 2 * 50 * 128)
    assert counter.get_total_flops() // 2 == macs(net) - left_out
    mean = ViT(224, 32, dim=128, classes=2, pool="mean", backend=partial(VanillaTransformer, depth=12, heads=8))
    assert macs(mean) == macs(net)
