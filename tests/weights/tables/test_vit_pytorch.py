"""vit-pytorch and linformer, of today and of old: imported, they compute the same logits and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vitcli.errors import WeightsError
from vitcli.net import Linformer
from vitcli.weights import import_net

vit = pytest.importorskip("vit_pytorch.vit")
simple = pytest.importorskip("vit_pytorch.simple_vit")
efficient = pytest.importorskip("vit_pytorch.efficient")
linformer = pytest.importorskip("linformer")
SIZES = {"image_size": 32, "patch_size": 8, "dim": 24, "num_classes": 5}
LAYERS = {"depth": 3, "heads": 4, "mlp_dim": 50}


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"dim_head": 6}, {"heads": 4}),
        ({"dim_head": 10}, {"heads": 4}),
        ({"heads": 1, "dim_head": 24}, {}),
        ({"heads": 1, "dim_head": 10}, {"heads": 1}),
        ({"pool": "mean"}, {"heads": 4}),
        ({"image_size": (32, 48), "patch_size": (8, 12)}, {"heads": 4, "image_size": [32, 48], "patch_size": [8, 12]}),
        ({"channels": 1}, {"heads": 4, "channels": 1}),
    ],
)
def test_vit(randomise, same, chosen, said):
    peer = randomise(vit.ViT(**{**SIZES, **LAYERS, **chosen}))
    size = chosen.get("image_size", 32)
    same(peer, size if isinstance(size, tuple) else (size, size), **said)


@pytest.mark.parametrize("size", [(32, 32), (32, 56)])
def test_simple_vit_finds_its_fixed_positions(randomise, same, size):
    same(randomise(simple.SimpleViT(**{**SIZES, **LAYERS, "image_size": size})), size, heads=4, image_size=size)


@pytest.mark.parametrize("pool", ["cls", "mean"])
@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({}, {"heads": 4}),
        ({"dim_head": 10}, {"heads": 4}),
        ({"one_kv_head": True}, {}),
        ({"share_kv": True}, {"heads": 4}),
        ({"share_kv": True, "one_kv_head": True, "dim_head": 5}, {}),
        ({"k": 40}, {"heads": 4}),
    ],
)
def test_efficient_vit_with_linformer(randomise, same, pool, chosen, said):
    inner = linformer.Linformer(**{"dim": 24, "seq_len": 17, "depth": 3, "heads": 4, "k": 6, **chosen})
    net = same(randomise(efficient.ViT(**SIZES, transformer=inner, pool=pool)), (32, 32), pool=pool, **said)
    assert isinstance(net.backend, Linformer)


def test_linformer_on_a_rectangle(randomise, same):
    inner = linformer.Linformer(dim=24, seq_len=25, depth=2, heads=4, k=6)
    peer = efficient.ViT(**{**SIZES, "image_size": (32, 48)}, transformer=inner)
    same(randomise(peer), (32, 48), heads=4, image_size=(32, 48))


class OldLayer(nn.Module):
    """Vit-pytorch before 1.4: a norm around each function."""

    def __init__(self, dim, fn):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fn = fn

    def forward(self, tokens):
        return self.fn(self.norm(tokens))


def aged(peer, *, wrapped, plain, after):
    """A peer of today as it was: layers wrapped in norms, patches without norms, the norm behind the pool."""
    if wrapped:
        for attention, mlp in peer.transformer.layers:
            attention_norm, mlp_norm = attention.norm, mlp.net[0]
            attention.norm = nn.Identity()
            mlp.net = nn.Sequential(*list(mlp.net)[1:])
            for layer, norm in ((attention, attention_norm), (mlp, mlp_norm)):
                old = OldLayer(24, layer)
                old.norm = norm
                index = 0 if layer is attention else 1
                next(pair for pair in peer.transformer.layers if pair[index] is layer)[index] = old
    if plain:
        peer.to_patch_embedding = nn.Sequential(peer.to_patch_embedding[0], peer.to_patch_embedding[2])
    if after:
        peer.mlp_head = nn.Sequential(peer.transformer.norm, peer.mlp_head)
        peer.transformer.norm = nn.Identity()
    peer.cls_token = nn.Parameter(peer.cls_token.unsqueeze(0))
    peer.pos_embedding = nn.Parameter(peer.pos_embedding.unsqueeze(0))
    return peer


class Old(nn.Module):
    """The forward pass of vit-pytorch before 1.16: class and positions with a batch axis, the mean over all tokens."""

    def __init__(self, peer, pool):
        super().__init__()
        self.peer = peer
        self.pool = pool

    def forward(self, images):
        tokens = self.peer.to_patch_embedding(images)
        tokens = torch.cat([self.peer.cls_token.expand(len(images), -1, -1), tokens], dim=1) + self.peer.pos_embedding
        tokens = self.peer.transformer(tokens)
        return self.peer.mlp_head(tokens.mean(dim=1) if self.pool == "mean" else tokens[:, 0])


@pytest.mark.parametrize("pool", ["cls", "mean"])
@pytest.mark.parametrize(
    "age",
    [
        {"wrapped": True, "plain": True, "after": True},
        {"wrapped": True, "plain": False, "after": True},
        {"wrapped": False, "plain": False, "after": False},
    ],
    ids=["1.0.0", "1.0.2", "1.4.0"],
)
def test_old_layouts(randomise, same, pool, age):
    peer = aged(vit.ViT(**SIZES, **LAYERS, dim_head=6), **age)
    state = randomise(Old(peer, pool)).peer.state_dict()
    same(Old(peer, pool), (32, 32), state=state, heads=4, pool=pool)


@pytest.mark.parametrize(
    ("peer", "said", "line"),
    [
        (lambda: simple.SimpleViT(**SIZES, **LAYERS), {"heads": 4}, "no tensor shows the image's size; say"),
        (lambda: vit.ViT(**SIZES, **LAYERS), {}, "transformer.layers.0.0.to_qkv.weight does not show how many"),
        (lambda: vit.ViT(**{**SIZES, "patch_size": (8, 4)}, **LAYERS), {"heads": 4},
         "to_patch_embedding.2.weight takes 96 numbers a patch, which are not 3 colours of 5 x 5 pixels; say patch"),
        (lambda: efficient.ViT(**SIZES, transformer=nn.TransformerEncoderLayer(24, 4)), {"heads": 4},
         "no ViT of vit_pytorch has transformer.self_attn.in_proj_weight, "),
    ],
)  # fmt: skip
def test_what_the_tensors_do_not_show_must_be_said(peer, said, line):
    with pytest.raises(WeightsError) as caught:
        import_net(peer().state_dict(), **said)
    assert str(caught.value).startswith(f"weights: {line}")
