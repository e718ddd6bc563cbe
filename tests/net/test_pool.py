"""AttentionPool: a weighted mean of the tokens, by their answer to a learned query."""

from __future__ import annotations

import pytest
import torch

from vitcli.net import AttentionPool, ViT


@pytest.mark.parametrize("score", ["dot", "additive"])
def test_the_pool_is_the_softmax_of_scores_over_the_tokens(randomise, score):
    pool = randomise(AttentionPool(6, score))
    tokens = torch.randn(2, 5, 6, dtype=torch.float64)
    expected = []
    for each in tokens:
        scores = [
            (pool.query @ token) / 6**0.5 if score == "dot" else pool.query @ pool.hidden(token).tanh()
            for token in each
        ]
        weights = torch.stack(scores).softmax(dim=0)
        expected.append(sum(weight * token for weight, token in zip(weights, each, strict=True)))
    torch.testing.assert_close(pool(tokens), torch.stack(expected), rtol=0, atol=1e-12)


def test_a_query_of_zero_takes_the_mean():
    pool, tokens = AttentionPool(6), torch.randn(2, 5, 6)
    torch.nn.init.zeros_(pool.query)
    torch.testing.assert_close(pool(tokens), tokens.mean(dim=1))


@pytest.mark.parametrize("score", ["dot", "additive"])
@pytest.mark.parametrize("class_token", [True, False])
def test_a_net_pools_by_attention_and_learns_it(score, class_token):
    net = ViT(32, 8, dim=16, pool="attention", pool_score=score, class_token=class_token, classes=3)
    net(torch.randn(4, 3, 32, 32)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in net.parameters())
    assert "attention_pool.query" in net.state_dict()
    assert ("attention_pool.hidden.weight" in net.state_dict()) == (score == "additive")
