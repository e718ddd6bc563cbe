"""Our numbers equal the peers', on random weights everywhere, in float64."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from vitcli.net import Linformer, VanillaTransformer, ViT

timm_vit = pytest.importorskip("timm.models.vision_transformer")
peer_linformer = pytest.importorskip("linformer")

TIMM_NAMES = [("patch_embed", "patches"), ("cls_token", "class_token"), (".attn.", ".attention."), ("fc_norm", "norm")]


@pytest.mark.parametrize(
    ("pool", "peer_pool"),
    [
        ("cls", {"global_pool": "token"}),
        ("mean", {"global_pool": "avg", "pool_include_prefix": True, "fc_norm": False, "final_norm": True}),
        ("mean_patches", {"global_pool": "avg", "fc_norm": False, "final_norm": True}),
    ],
)
@pytest.mark.parametrize("qkv_bias", [True, False])
def test_vanilla_equals_timm(randomise, pool, peer_pool, qkv_bias):
    sizes = {"img_size": (32, 48), "patch_size": (8, 16), "embed_dim": 24, "depth": 3, "num_heads": 4}
    peer = randomise(timm_vit.VisionTransformer(**sizes, num_classes=5, qkv_bias=qkv_bias, **peer_pool))
    net = ViT(
        (32, 48), (8, 16), dim=24, pool=pool, backend=partial(VanillaTransformer, depth=3, heads=4, qkv_bias=qkv_bias),
        classes=5,
    ).double().eval()  # fmt: skip
    weights = {}
    for name, tensor in peer.state_dict().items():
        ours = f"backend.{name}" if name.startswith("blocks.") else name
        for theirs, word in TIMM_NAMES:
            ours = ours.replace(theirs, word)
        weights[ours] = tensor
    net.load_state_dict(weights)
    images = torch.randn(3, 3, 32, 48, dtype=torch.float64)
    with torch.no_grad():
        expected = peer(images)
        assert expected.std() > 0.01
        torch.testing.assert_close(net(images), expected, rtol=0, atol=1e-9)
        torch.testing.assert_close(net.features(images), peer.forward_features(images), rtol=0, atol=1e-9)


@pytest.mark.parametrize("head_dim", [None, 5])
def test_linformer_equals_the_linformer_package(randomise, head_dim):
    peer = randomise(peer_linformer.Linformer(dim=24, seq_len=17, depth=3, heads=4, k=6, dim_head=head_dim))
    ours = Linformer(17, 24, depth=3, heads=4, head_dim=head_dim, k=6, qkv_bias=False, norm_eps=1e-5).double().eval()
    weights = {}
    for index, (attention, mlp) in enumerate(peer.net.layers):
        block, inner = f"blocks.{index}", attention.fn
        weights[f"{block}.norm1"] = attention.norm.state_dict()
        weights[f"{block}.attention.qkv"] = {
            "weight": torch.cat([inner.to_q.weight, inner.to_k.weight, inner.to_v.weight])
        }
        weights[f"{block}.attention"] = {"project_keys": inner.proj_k, "project_values": inner.proj_v}
        weights[f"{block}.attention.proj"] = inner.to_out.state_dict()
        weights[f"{block}.norm2"] = mlp.norm.state_dict()
        weights[f"{block}.mlp.fc1"] = mlp.fn.w1.state_dict()
        weights[f"{block}.mlp.fc2"] = mlp.fn.w2.state_dict()
    ours.load_state_dict({f"{at}.{name}": tensor for at, part in weights.items() for name, tensor in part.items()})
    tokens = torch.randn(2, 17, 24, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(ours(tokens), peer(tokens), rtol=0, atol=1e-9)
