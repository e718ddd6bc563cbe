"""What is watched of an attention is what the forward pass computes, checked against explicit matrices in float64."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from vitcli.net import Linformer, VanillaTransformer, ViT, watch
from vitcli.net.transformer.attention import Attention, LinformerAttention, SelfAttention
from vitcli.net.watch import Seen

SIZE = {"image_size": 32, "patch_size": 8, "dim": 24, "classes": 3}
STACK = {"depth": 2, "heads": 3}


def net(backend: Any = VanillaTransformer, options: dict[str, Any] | None = None, **settings: Any) -> ViT:
    torch.manual_seed(0)
    built = ViT(backend=partial(backend, **STACK, **(options or {})), **{**SIZE, **settings}).double().eval()
    for parameter in built.parameters():
        # nothing stays zero or one, where a mistake would not be seen
        torch.nn.init.normal_(parameter, std=0.3)
    return built


def images(count: int = 2) -> Tensor:
    return torch.randn(count, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def heads(features: Tensor, count: int) -> Tensor:
    return features.unflatten(2, (count, -1)).transpose(1, 2)


def seen_with_inputs(built: ViT) -> list[tuple[Seen, Tensor, Attention]]:
    """What was seen of each attention, the tokens that entered it, and itself."""
    attentions = [block.attention for block in built.backend.blocks]  # type: ignore[union-attr]
    entered: list[Tensor] = []
    for attention in attentions:
        attention.register_forward_pre_hook(lambda _, tokens: entered.append(tokens[0]))
    with torch.no_grad(), watch(built) as seen:
        built(images())
    return list(zip(seen, entered, attentions, strict=True))


@pytest.mark.parametrize("options", [{}, {"qk_norm": True}, {"qkv_bias": False, "head_dim": 5}])
@pytest.mark.parametrize("pool", ["mean", "cls"])
def test_full_attention_is_softmax_of_queries_and_keys(options: dict[str, Any], pool: str):
    built = net(options=options, pool=pool)
    seen = seen_with_inputs(built)
    for layer, tokens, attention in seen:
        assert isinstance(attention, SelfAttention)
        queries, keys, values = (heads(part, 3) for part in attention.qkv(tokens).chunk(3, dim=2))
        if attention.q_norm is not None and attention.k_norm is not None:
            queries, keys = attention.q_norm(queries), attention.k_norm(keys)
        assert layer.scores is not None
        assert layer.weights is not None
        assert layer.context is not None
        asked = layer.scores.shape[2]
        assert asked == (1 if pool == "cls" and layer is seen[-1][0] else 17)
        scores = queries[:, :, :asked] @ keys.transpose(2, 3) / queries.shape[3] ** 0.5
        weights = scores.exp() / scores.exp().sum(dim=3, keepdim=True)
        for found, wanted in (
            (layer.scores, scores),
            (layer.weights, weights),
            (layer.context, weights @ values),
            (layer.per_token, weights),
        ):
            torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        *({"sharing": sharing, "k": 6} for sharing in ("none", "headwise", "kv", "layerwise")),
        {"sharing": "none", "k": 6, "project_prefix": False},
        {"projection": "avgpool", "k": 5},
        {"projection": "conv", "k": 5, "sharing": "none"},
        {"projection": "conv", "k": 5, "sharing": "kv"},
        {"one_kv_head": True, "k": 5},
        {"tie_kv": True, "k": 5},
        {"k": 2, "sharing": "headwise"},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:model.net.backend.k")
def test_a_linformers_map_of_tokens_weighs_the_values_of_all_tokens(options: dict[str, Any]):
    built = net(Linformer, options, pool="mean")
    seen = seen_with_inputs(built)
    for layer, tokens, attention in seen:
        assert isinstance(attention, LinformerAttention)
        _, *keys_and_values = torch.split(attention.qkv(tokens), attention.widths, dim=2)
        values = attention.split(keys_and_values[-1])
        assert layer.weights is not None
        assert layer.context is not None
        torch.testing.assert_close(layer.weights.sum(dim=3), torch.ones(2, 3, 17).double())
        assert layer.per_token.shape == (2, 3, 17, 17)
        torch.testing.assert_close(layer.per_token @ values, layer.context, rtol=0, atol=1e-12)


@pytest.mark.parametrize("score", ["dot", "additive"])
def test_attention_pooling_is_a_softmax_over_the_tokens(score: str):
    built = net(pool="attention", pool_score=score)
    pool = built.attention_pool
    assert pool is not None
    with torch.no_grad(), watch(built) as seen:
        tokens = built.features(images())
        pooled = pool(tokens)
    compared = tokens / 24**0.5 if pool.hidden is None else torch.tanh(tokens @ pool.hidden.weight.T + pool.hidden.bias)
    scores = compared @ pool.query
    assert seen.pool is not None
    assert seen.pool.scores is not None
    assert seen.pool.weights is not None
    torch.testing.assert_close(seen.pool.scores, scores, rtol=0, atol=1e-12)
    torch.testing.assert_close(seen.pool.weights, scores.exp() / scores.exp().sum(1, keepdim=True), rtol=0, atol=1e-12)
    assert seen.pool.context is pooled


def test_a_watched_net_answers_as_it_does_unwatched_and_is_left_as_it_was():
    built = net(pool="attention")
    with torch.no_grad():
        before = built(images())
        with watch(built):
            watched = built(images())
        assert torch.equal(built(images()), before)
    torch.testing.assert_close(watched, before, rtol=0, atol=1e-12)
    assert all(getattr(module, "watcher", None) is None for module in built.modules())


def test_gradients_reach_what_was_seen():
    built = net(pool="mean")
    with watch(built) as seen:
        logits = built(images(1))
    weights = [layer.weights for layer in seen if layer.weights is not None]
    found = torch.autograd.grad(logits[0, 1], weights)
    assert [gradient.shape for gradient in found] == [(1, 3, 17, 17)] * 2
    assert all(float(gradient.abs().sum()) > 0 for gradient in found)
