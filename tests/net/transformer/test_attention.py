"""Attention: what the two kinds share, and what the Linformer paper promises."""

from __future__ import annotations

import pytest
import torch

from vitcli.net import LinformerAttention, SelfAttention


def test_identity_linformer_equals_full_attention(randomise):
    full = randomise(SelfAttention(24, heads=4, head_dim=6))
    linformer = randomise(LinformerAttention(17, 24, heads=4, head_dim=6, k=17))
    linformer.load_state_dict(full.state_dict(), strict=False)
    with torch.no_grad():
        linformer.project_keys.copy_(torch.eye(17))
        linformer.project_values.copy_(torch.eye(17))
    tokens = torch.randn(3, 17, 24, dtype=torch.float64)
    torch.testing.assert_close(linformer(tokens), full(tokens), rtol=0, atol=1e-12)


def test_identity_linformer_has_the_gradients_of_full_attention(randomise):
    full = randomise(SelfAttention(24, heads=4, head_dim=6))
    linformer = randomise(LinformerAttention(17, 24, heads=4, head_dim=6, k=17))
    linformer.load_state_dict(full.state_dict(), strict=False)
    with torch.no_grad():
        linformer.project_keys.copy_(torch.eye(17))
        linformer.project_values.copy_(torch.eye(17))
    tokens = torch.randn(3, 17, 24, dtype=torch.float64)
    for attention in (full, linformer):
        attention(tokens).square().sum().backward()
    for name, parameter in full.named_parameters():
        torch.testing.assert_close(linformer.get_parameter(name).grad, parameter.grad, rtol=1e-10, atol=1e-10)


def test_full_attention_equals_the_formula(randomise):
    attention = randomise(SelfAttention(12, heads=3, head_dim=5))
    tokens = torch.randn(2, 7, 12, dtype=torch.float64)
    queries, keys, values = attention.qkv(tokens).reshape(2, 7, 3, 3, 5).permute(2, 0, 3, 1, 4)
    mixed = (queries @ keys.transpose(2, 3) / 5**0.5).softmax(dim=3) @ values
    expected = attention.proj(mixed.transpose(1, 2).reshape(2, 7, 15))
    torch.testing.assert_close(attention(tokens), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("tokens", [50, 4097])
def test_a_projected_key_begins_as_large_as_a_key_at_any_resolution(tokens):
    attention = LinformerAttention(tokens, 8, heads=2, head_dim=4, k=64)
    keys = torch.randn(16, tokens, 32)
    assert (attention.project_keys.t() @ keys).std().item() == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize(
    "attention",
    [SelfAttention(8, 2, 4, dropout=0.5), LinformerAttention(5, 8, 2, 4, k=3, dropout=0.5)],
    ids=lambda attention: type(attention).__name__,
)
def test_attention_dropout_acts_in_training_only(attention):
    tokens = torch.randn(2, 5, 8)
    assert not torch.equal(attention.train()(tokens), attention(tokens))
    assert torch.equal(attention.eval()(tokens), attention(tokens))


def test_linformer_adds_only_its_two_projections():
    full = SelfAttention(24, heads=4, head_dim=6)
    linformer = LinformerAttention(17, 24, heads=4, head_dim=6, k=5)
    extra = {name: tuple(tensor.shape) for name, tensor in linformer.state_dict().items()}
    for name in full.state_dict():
        del extra[name]
    assert extra == {"project_keys": (17, 5), "project_values": (17, 5)}


def test_without_qkv_bias_there_is_none():
    assert "qkv.bias" not in SelfAttention(8, 2, 4, qkv_bias=False).state_dict()
