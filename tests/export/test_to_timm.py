"""Nets that timm can hold are loaded strictly by it and give the same logits; others are refused with the reason."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from vitcli.answers.asked import Asked
from vitcli.errors import ExportError
from vitcli.export.subject import Subject
from vitcli.export.to_timm import compare_with_timm, for_timm
from vitcli.net import Linformer, VanillaTransformer, ViT
from vitcli.preprocess import Preprocess

SMALL = {"image_size": (16, 24), "patch_size": 8, "dim": 16, "classes": 3}
BACKEND = {"depth": 2, "heads": 2}
HELD: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "cls": ({}, {}),
    "mean": ({"pool": "mean"}, {}),
    "mean of patches after registers": ({"pool": "mean_patches", "registers": 2}, {}),
    "norm after the pool": ({"pool": "mean_patches", "final_norm": "after_pool"}, {}),
    "class token normed after the pool": ({"final_norm": "after_pool"}, {}),
    "no norm": ({"final_norm": "none"}, {}),
    "no class token": ({"pool": "mean", "class_token": False}, {}),
    "positions of patches": ({"positions": "learned_patches", "registers": 1}, {}),
    "fixed positions": ({"positions": "sincos"}, {}),
    "no positions": ({"positions": "none"}, {}),
    "norms before the blocks": ({"pre_norm": True, "patch_bias": False}, {}),
    "no patch bias": ({"patch_bias": False}, {}),
    "another eps": ({"norm_eps": 1e-5}, {"norm_eps": 1e-5}),
    "scales, norms of heads": ({}, {"layer_scale": 0.1, "qk_norm": True}),
    "no biases": ({}, {"qkv_bias": False, "out_proj": "unbiased"}),
    "no projection": ({}, {"out_proj": "none"}),
    "another Mlp": ({}, {"mlp_ratio": 2.5, "activation": "quick_gelu"}),
    "approximate gelu": ({}, {"activation": "gelu_tanh"}),
}
NOT_HELD: dict[str, tuple[dict[str, Any], Any, str]] = {
    "linformer": ({}, partial(Linformer, k=4, **BACKEND), "timm has no Linformer, only full attention"),
    "pool": ({"pool": "attention"}, partial(VanillaTransformer, **BACKEND), "has no pool attention"),
    "pre_logits": ({"pre_logits": 8}, partial(VanillaTransformer, **BACKEND), "has no pre_logits"),
    "patch_norm": ({"patch_norm": True}, partial(VanillaTransformer, **BACKEND), "has no patch_norm"),
    "pre_norm": ({"pre_norm": True}, partial(VanillaTransformer, **BACKEND), "has no pre_norm with patch_bias"),
    "head_dim": ({}, partial(VanillaTransformer, head_dim=4, **BACKEND), "has no head_dim 4 x 2 heads"),
    "norm_eps": ({"norm_eps": 1e-3}, partial(VanillaTransformer, **BACKEND), "has no norm_eps 0.001 and 1e-06"),
}


def subject_of(net: ViT) -> Subject:
    # none of its numbers what it begins with, such as a bias of zero
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    preprocess = Preprocess(size=net.image_size)
    return Subject("x", net.eval(), ("a", "b", "c"), preprocess, Asked(), "timm")


@pytest.mark.parametrize("kind", HELD)
def test_timm_loads_it_strictly_and_gives_the_same_logits(kind: str) -> None:
    settings, backend = HELD[kind]
    subject = subject_of(ViT(**SMALL | settings, backend=partial(VanillaTransformer, **BACKEND | backend)))
    pixels = np.random.default_rng(0).integers(0, 256, (3, 16, 24, 3), dtype=np.uint8)
    found = compare_with_timm(subject, for_timm(subject.net), pixels)
    assert found.difference < 1e-9
    assert found.pictures == 3


@pytest.mark.parametrize("kind", NOT_HELD)
def test_what_timm_lacks_is_refused_by_name(kind: str) -> None:
    settings, backend, why = NOT_HELD[kind]
    with pytest.raises(ExportError, match=why):
        for_timm(ViT(**SMALL | settings, backend=backend))


def test_another_net_of_the_same_tensors_is_not_taken_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = subject_of(ViT(**SMALL, backend=partial(VanillaTransformer, **BACKEND)))
    made = for_timm(subject.net)
    made.args["act_layer"] = "quick_gelu"
    with pytest.raises(ExportError, match=r"timm's logits differ by .* in float64, more than 1e-09"):
        compare_with_timm(subject, made, np.zeros((1, 16, 24, 3), dtype=np.uint8))


def test_the_net_itself_is_left_in_its_precision() -> None:
    subject = subject_of(ViT(**SMALL, backend=partial(VanillaTransformer, **BACKEND)))
    compare_with_timm(subject, for_timm(subject.net), np.zeros((1, 16, 24, 3), dtype=np.uint8))
    assert subject.net.head.weight.dtype == torch.float32
    assert isinstance(for_timm(subject.net).model(), nn.Module)
