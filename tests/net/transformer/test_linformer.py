"""Linformer beyond the peer: sharing, pooling, convolving, the prefix apart, and less work for the same numbers."""

from __future__ import annotations

import math
import warnings
from functools import partial

import pytest
import torch

from vitcli.errors import ConfigError
from vitcli.net import Linformer, LinformerAttention, SelfAttention, Tokens, VanillaTransformer, ViT
from vitcli.net.counts import macs

TOKENS = Tokens(1, (4, 6))
OPTIONS = {
    "headwise": {},
    "none": {"sharing": "none"},
    "kv": {"sharing": "kv"},
    "layerwise": {"sharing": "layerwise"},
    "conv": {"projection": "conv"},
    "conv per head": {"projection": "conv", "sharing": "none"},
    "conv layerwise": {"projection": "conv", "sharing": "layerwise"},
    "avgpool": {"projection": "avgpool"},
    "one kv head": {"one_kv_head": True},
    "tied": {"tie_kv": True},
    "one tied kv head": {"tie_kv": True, "one_kv_head": True},
    "one kv head, own projection": {"one_kv_head": True, "sharing": "none"},
}


def small(tokens=TOKENS, dim=16, **chosen):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return Linformer(tokens, dim, **{"depth": 2, "heads": 4, "k": 7, **chosen})


def dense(attention, weight, tokens):
    """A projection as the matrix of what it does to each token."""
    identity = torch.eye(tokens, dtype=torch.float64).unsqueeze(0)
    return attention.mixer(weight, identity)[0].t()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("prefix", [True, False])
@pytest.mark.parametrize("options", OPTIONS)
def test_every_option_equals_its_formula_in_either_order(randomise, options, prefix, bias):
    chosen = {"qkv_bias": bias, "project_prefix": prefix, "k": 7 if prefix else 6, **OPTIONS[options]}
    backend = randomise(small(**chosen))
    attention, shared = backend.blocks[0].attention, backend.shared_projection
    tokens = torch.randn(2, TOKENS, 16, dtype=torch.float64)
    parts = torch.split(attention.qkv(tokens), attention.widths, dim=2)
    queries, keys, values = (part.reshape(2, TOKENS, -1, 4).transpose(1, 2) for part in (*parts, parts[-1])[:3])
    first = attention.project_keys if shared is None else shared
    second = first if attention.project_values is None else attention.project_values

    def mixed(weight, heads):
        many = weight is not None and weight.shape[0] if chosen.get("sharing") == "none" and weight is not None else 1
        each = [weight[[index]] if many > 1 else weight for index in range(many)]
        each = [part[0] if part is not None and part.dim() == 3 else part for part in each]
        return torch.stack([dense(attention, part, TOKENS) for part in each]).transpose(1, 2) @ heads

    keys, values = mixed(first, keys), mixed(second, values)
    expected = (queries @ keys.transpose(2, 3) / 4**0.5).softmax(dim=3) @ values
    expected = attention.proj(expected.transpose(1, 2).flatten(2))
    context = () if shared is None else (shared,)
    for early in {attention.early, attention.early and chosen.get("sharing") != "none", False}:
        attention.early = early
        torch.testing.assert_close(attention(tokens, *context), expected, rtol=0, atol=1e-12)
    assert keys.shape[2] == 7
    assert backend(tokens).shape == tokens.shape


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("options", ["headwise", "kv", "layerwise", "conv", "avgpool", "one kv head", "tied"])
def test_both_orders_have_the_same_gradients(randomise, options, bias):
    backend = randomise(small(qkv_bias=bias, **OPTIONS[options]))
    tokens = torch.randn(2, TOKENS, 16, dtype=torch.float64)
    gradients = []
    for early in (True, False):
        for block in backend.blocks:
            block.attention.early = early
        backend.zero_grad()
        backend(tokens).square().sum().backward()
        gradients.append([parameter.grad.clone() for parameter in backend.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("options", "expected"), [
    ("headwise", 2 * 2 * 25 * 7), ("none", 2 * 2 * 4 * 25 * 7), ("kv", 2 * 25 * 7), ("layerwise", 25 * 7),
    ("conv", 2 * 2 * 4), ("conv per head", 2 * 2 * 4 * 4), ("conv layerwise", 4), ("avgpool", 0), ("tied", 2 * 25 * 7),
])  # fmt: skip
def test_sharing_leaves_so_many_projections(options, expected):
    state = small(**OPTIONS[options]).state_dict()
    assert sum(tensor.numel() for name, tensor in state.items() if "project" in name) == expected
    assert len({tensor.data_ptr() for tensor in state.values()}) == len(state)


@pytest.mark.parametrize("options", OPTIONS)
def test_gradients_reach_every_parameter(options):
    backend = small(**OPTIONS[options])
    backend(torch.randn(2, TOKENS, 16)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in backend.parameters())


def test_identity_projections_equal_full_attention_with_normalised_queries_and_keys(randomise):
    full = randomise(SelfAttention(24, heads=4, head_dim=6, qk_norm=True))
    linformer = randomise(LinformerAttention(17, 24, heads=4, head_dim=6, k=17, qk_norm=True))
    linformer.load_state_dict(full.state_dict(), strict=False)
    with torch.no_grad():
        linformer.project_keys.copy_(torch.eye(17))
        linformer.project_values.copy_(torch.eye(17))
    tokens = torch.randn(3, 17, 24, dtype=torch.float64)
    torch.testing.assert_close(linformer(tokens), full(tokens), rtol=0, atol=1e-12)


@pytest.mark.parametrize("projection", ["linear", "conv", "avgpool"])
def test_a_projection_may_begin_as_the_mean_of_each_cell(projection):
    attention = small(projection=projection, proj_init="avgpool").blocks[0].attention
    weight = attention.project_keys
    matrix = dense(attention, None if weight is None else weight.double(), TOKENS)
    torch.testing.assert_close(matrix.sum(0), torch.ones(7, dtype=torch.float64))
    assert matrix[0].tolist() == [1, 0, 0, 0, 0, 0, 0]
    cells = matrix[1:, 1:].reshape(4, 6, 6)
    for index in range(6):
        rows, columns = cells[:, :, index].nonzero(as_tuple=True)
        assert (rows.unique().tolist(), columns.unique().tolist()) == (
            [2 * (index // 3), 2 * (index // 3) + 1],
            [2 * (index % 3), 2 * (index % 3) + 1],
        )


@pytest.mark.parametrize(("init", "expected"), [("unit", 1.0), ("peer", (4097 / 3 / 256) ** 0.5)])
def test_projected_keys_begin_as_large_as_keys_or_as_the_peers(init, expected):
    attention = LinformerAttention(4097, 8, heads=2, head_dim=4, k=256, proj_init=init)
    mixed = attention.mixer(attention.project_keys, torch.randn(4, 4097, 32))
    assert mixed.std().item() == pytest.approx(expected, rel=0.1)


def test_each_layer_may_have_its_own_k():
    backend = small(k=(7, 3))
    assert [block.attention.project_keys.shape[1] for block in backend.blocks] == [7, 3]
    assert backend.settings()["k"] == [7, 3]
    assert backend(torch.randn(1, TOKENS, 16)).shape == (1, 25, 16)


@pytest.mark.parametrize(
    ("chosen", "line"),
    [
        ({"k": (7, 3, 2)}, "k [7, 3, 2]: 3 numbers for model.net.backend.depth 2; give one for each layer"),
        ({"k": (7, 3), "sharing": "layerwise"}, "k [7, 3]: one projection for all layers has one k; set "),
        ({"k": (7, 0)}, "k 0: must be at least 1"),
        ({"projection": "avgpool", "k": 12}, "k 12: 11 cells do not fit into a grid of 4 x 6 patches; choose "),
        ({"projection": "avgpool", "k": 1}, "k 1: 0 cells do not fit into a grid of 4 x 6 patches; choose 2"),
        ({"projection": "conv", "k": 9, "project_prefix": False},
         "k 9: a convolution needs cells of one size, but 3 x 3 cells do not divide a grid of 4 x 6 patches; "),
    ],
)  # fmt: skip
def test_projections_that_do_not_fit_are_refused_in_one_line(chosen, line):
    with pytest.raises(ConfigError) as caught:
        small(**chosen)
    assert str(caught.value).startswith(f"model.net.backend.{line}")


SIZES = {"notebook": (224, 32, 128, 12, 8, 64, 2), "headline": (2048, 32, 512, 12, 8, 256, 1000)}


@pytest.mark.parametrize("size", SIZES)
def test_work_and_parameters_equal_the_formulas(size):
    image, patch, dim, depth, heads, k, classes = SIZES[size]
    patches = (image // patch) ** 2
    pixels, n, d = 3 * patch**2, patches + 1, dim
    outside = pixels * d + d + n * d + d + 2 * d + d * classes + classes
    around = patches * pixels * d + d * classes

    def made(kind, **chosen):
        with warnings.catch_warnings(), torch.device("meta"):
            warnings.simplefilter("ignore", UserWarning)
            return ViT(
                image, patch, dim=dim, backend=partial(kind, depth=depth, heads=heads, **chosen), classes=classes
            )

    vanilla = made(VanillaTransformer)
    assert macs(vanilla) == around + depth * (12 * n * d**2 + 2 * n**2 * d)
    assert sum(each.numel() for each in vanilla.parameters()) == outside + depth * (12 * d**2 + 13 * d)
    peers_order = around + depth * (12 * n * d**2 + 4 * n * k * d)
    reordered = around + depth * (10 * n * d**2 + 4 * n * k * d + 2 * k * d**2)
    linformer = made(Linformer, k=k, qkv_bias=False)
    assert macs(linformer) == min(peers_order, reordered) == (reordered if size == "headline" else peers_order)
    layer = 12 * d**2 + 10 * d + 2 * n * k
    assert sum(each.numel() for each in linformer.parameters()) == outside + depth * layer
    for block in linformer.backend.blocks:
        block.attention.early = False
    assert macs(linformer) == peers_order


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, (2_858_242, 67_174_888)),
        ({"tie_kv": True}, (2_623_234, 51_443_176)),
        ({"one_kv_head": True}, (2_514_178, 61_669_864)),
        ({"tie_kv": True, "one_kv_head": True}, (2_451_202, 48_690_664)),
    ],
)
def test_as_efficient_vit_it_has_the_parameters_of_the_peer(chosen, expected):
    for (image, patch, dim, depth, heads, k, classes), number in zip(SIZES.values(), expected, strict=True):
        with warnings.catch_warnings(), torch.device("meta"):
            warnings.simplefilter("ignore", UserWarning)
            backend = partial(Linformer, depth=depth, heads=heads, k=k, qkv_bias=False, **chosen)
            net = ViT(image, patch, dim=dim, backend=backend, classes=classes, patch_norm=True, final_norm="after_pool")
        assert sum(each.numel() for each in net.parameters()) == number


@pytest.mark.parametrize("tie", [True, False])
def test_work_grows_where_reordering_would_cost_more(tie):
    """One head of keys is so narrow that E^T (X W) is less work."""
    attention = (
        small(Tokens(1, (64, 64)), 512, heads=8, k=256, depth=1, one_kv_head=True, tie_kv=tie).blocks[0].attention
    )
    assert not attention.early
    assert math.prod(attention.qkv.weight.shape) == 512 * (512 + (64 if tie else 128))
