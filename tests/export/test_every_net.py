"""ONNX and pt2 of every backend, pool and geometry give the net's probabilities, in batches that were not traced."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vitcli.answers.asked import Asked
from vitcli.export.check import LIMITS, agreement, answers_of, run_on
from vitcli.export.pictures import find_pictures
from vitcli.export.runners import of_onnx, of_pt2
from vitcli.export.subject import Subject
from vitcli.export.write import write
from vitcli.net import Backend, Linformer, VanillaTransformer, ViT
from vitcli.preprocess import Preprocess

FULL, LINEAR = partial(VanillaTransformer, depth=2, heads=2), partial(Linformer, depth=2, heads=2, k=3)
NETS: dict[str, tuple[dict[str, Any], partial[Backend]]] = {
    "full, cls, square": ({}, FULL),
    "full, mean, wide image": ({"pool": "mean", "image_size": (16, 24)}, FULL),
    "full, mean of patches, registers": ({"pool": "mean_patches", "registers": 2}, FULL),
    "full, attention, tall patches": ({"pool": "attention", "patch_size": (8, 4)}, FULL),
    "full, additive attention, no class token": (
        {"pool": "attention", "pool_score": "additive", "class_token": False},
        FULL,
    ),
    "full, norms and scales": (
        {"pre_norm": True, "patch_norm": True, "final_norm": "after_pool", "pool": "mean"},
        partial(FULL, qk_norm=True, layer_scale=0.1, activation="quick_gelu"),
    ),
    "full, sincos, pre_logits": ({"positions": "sincos", "pre_logits": 8}, partial(FULL, activation="gelu_tanh")),
    "full, no positions, no projection": ({"positions": "none"}, partial(FULL, out_proj="none", qkv_bias=False)),
    "full, convolutions": ({"stem": "conv", "pool": "mean"}, FULL),
    "linformer, cls, square": ({}, LINEAR),
    "linformer, mean, wide image, per head": (
        {"pool": "mean", "image_size": (16, 24)},
        partial(LINEAR, sharing="none"),
    ),
    "linformer, mean of patches, kv": ({"pool": "mean_patches"}, partial(LINEAR, sharing="kv")),
    "linformer, attention, layerwise": ({"pool": "attention"}, partial(LINEAR, sharing="layerwise")),
    "linformer, pooled cells": ({}, partial(LINEAR, projection="avgpool")),
    "linformer, cells of unequal size": ({"image_size": 24}, partial(LINEAR, projection="avgpool", k=5)),
    "linformer, convolution": (
        {"image_size": 32, "patch_size": 8},
        partial(LINEAR, projection="conv", k=4, project_prefix=False),
    ),
    "linformer, one kv head, tied": ({"pool": "mean"}, partial(LINEAR, one_kv_head=True, tie_kv=True)),
}


def subject_of(settings: dict[str, Any], backend: partial[Backend]) -> Subject:
    torch.manual_seed(0)
    net = ViT(**{"image_size": 16, "patch_size": 8, "dim": 16, "classes": 3} | settings, backend=backend)
    generator = torch.Generator().manual_seed(1)
    for parameter in net.requires_grad_(False).parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    preprocess = Preprocess(size=net.image_size)
    return Subject("x", net.eval(), ("a", "b", "c"), preprocess, Asked(temperature=1.5), "timm")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*Linformer with k")
@pytest.mark.parametrize("kind", NETS)
def test_the_file_of_every_net_agrees_with_it(kind: str, tmp_path: Path) -> None:
    subject = subject_of(*NETS[kind])
    pictures = find_pictures(subject)
    # no two nets answer alike, and none of them always the same
    assert np.ptp(answers_of(subject, pictures.pixels), axis=0).max() > 1e-3
    for name in ("net.onnx", "net.pt2"):
        written = write(subject, tmp_path / name, pictures)
        assert written.agreement.difference < 1e-5
        assert written.agreement.changed == 0


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.parametrize("folder", ["pets", "objects"])
def test_real_photos_have_the_same_labels_and_probabilities(folder: str, shared_data: Path, tmp_path: Path) -> None:
    subject = Subject.open(str(shared_data / "weights" / "deit_tiny_patch16_224.safetensors"))
    pictures = find_pictures(subject, str(shared_data / folder), most=24)
    assert len(pictures) == 24
    ours = answers_of(subject, pictures.pixels)
    for name, opened in (("deit.onnx", of_onnx), ("deit.pt2", of_pt2)):
        written = write(subject, tmp_path / name, pictures)
        assert written.agreement.difference < 1e-4
        assert written.agreement.changed == 0
        # not only for the batches that were tried
        once_more = agreement(ours[:7], run_on(opened(tmp_path / name), pictures.pixels[:7]), None)
        once_more.expect(LIMITS["none"])
