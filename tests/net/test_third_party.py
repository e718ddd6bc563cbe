"""Somebody else's transformer joins by a short final subclass of Backend, as CONTRIBUTING shows."""

from __future__ import annotations

import typing
from functools import partial

import pytest
import torch
from torch import nn

from vitcli.errors import ConfigError
from vitcli.net import Backend, ViT, build

vit_pytorch = pytest.importorskip("vit_pytorch.vit")


@typing.final
class PeerTransformer(Backend):
    """vit-pytorch's Transformer, which ends with a norm of its own: final_norm none suits it."""

    def __init__(self, tokens: int, dim: int, depth: int = 12, heads: int = 8) -> None:
        super().__init__()
        self.depth, self.heads = depth, heads
        self.inner = vit_pytorch.Transformer(dim, depth, heads, dim_head=dim // heads, mlp_dim=4 * dim)

    def forward(self, tokens):
        return self.inner(tokens)


@typing.final
class Encoder(Backend):
    """torch's own encoder, with the settings that a ViT needs."""

    def __init__(self, tokens: int, dim: int, depth: int = 12, heads: int = 8, batch_first: bool = True) -> None:
        super().__init__()
        self.depth, self.heads, self.batch_first = depth, heads, batch_first
        layer = nn.TransformerEncoderLayer(dim, heads, 4 * dim, 0.0, "gelu", batch_first=batch_first, norm_first=True)
        self.inner = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)

    def forward(self, tokens):
        return self.inner(tokens)


def small(kind, **chosen):
    return ViT(32, 8, dim=16, backend=partial(kind, depth=2, heads=2), classes=3, **chosen)


@pytest.mark.parametrize("kind", [PeerTransformer, Encoder])
def test_another_packages_transformer_trains_inside_the_net_and_comes_back_from_settings(kind):
    net = small(kind, final_norm="none")
    images = torch.randn(2, 3, 32, 32)
    net(images).square().sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())
    again = build(net.settings())
    again.load_state_dict(net.state_dict())
    assert torch.equal(again.eval()(images), net.eval()(images))


def test_the_peers_vit_is_ours_around_the_peers_transformer():
    peer = vit_pytorch.ViT(
        image_size=32, patch_size=8, num_classes=3, dim=16, depth=2, heads=2, mlp_dim=64, dim_head=8
    ).eval()  # fmt: skip
    net = small(PeerTransformer, final_norm="none", patch_norm=True, norm_eps=1e-5).eval()
    net.backend.inner.load_state_dict(peer.transformer.state_dict())
    tokens = torch.randn(2, 17, 16)
    assert torch.equal(net.backend(tokens), peer.transformer(tokens))


def test_a_backend_of_another_type_than_its_tokens_is_refused():
    @typing.final
    class Double(Backend):
        def __init__(self, tokens: int, dim: int, depth: int = 1, heads: int = 1) -> None:
            super().__init__()
            self.depth, self.heads = depth, heads

        def forward(self, tokens):
            return tokens.double()

    with pytest.raises(ConfigError, match=r"backend Double: returned torch\.float64 for torch\.float32; both must"):
        small(Double)
