"""All kernels of attention compute the same mixture of the values."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from vitcli.net.kernels.softmax import mixture


@pytest.mark.parametrize("autocast", [True, False])
def test_half_precision_training_equals_the_fused_kernel_within_rounding(autocast):
    parts = [torch.randn(2, 3, tokens, 16, dtype=torch.bfloat16, requires_grad=True) for tokens in (50, 24, 24)]
    expected = F.scaled_dot_product_attention(*(part.detach().float() for part in parts))
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        mixed = mixture(*parts, dropout=0.0)
        dropped = mixture(*parts, dropout=0.5)
    assert mixed.dtype == torch.bfloat16
    torch.testing.assert_close(mixed.float(), expected, rtol=0, atol=0.03)
    assert not torch.equal(mixed, dropped)


def test_every_kernel_has_the_same_gradients(monkeypatch):
    gradients = []
    for pairs in (0, 2**20):
        monkeypatch.setattr("vitcli.net.kernels.softmax.PLAIN_PAIRS", pairs)
        torch.manual_seed(1)
        parts = [torch.randn(2, 3, 9, 16, dtype=torch.bfloat16, requires_grad=True) for _ in range(3)]
        gradients.append(torch.autograd.grad(mixture(*parts, dropout=0.0).float().square().sum(), parts))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=0.05, atol=0.03)


@pytest.mark.parametrize("keys", [1, 24, 32, 50])
@pytest.mark.parametrize("dropout", [0.0, 0.999])
def test_filled_up_rows_change_nothing_and_no_key_beyond_the_last_is_seen(keys, dropout):
    parts = [torch.randn(2, 3, tokens, 16).bfloat16() for tokens in (50, keys, keys)]
    parts[1][0, 0] = -100  # every real key far below a key of zeros
    recorded = mixture(*(part.requires_grad_() for part in parts), dropout=dropout)
    with torch.no_grad():
        filled = mixture(*parts, dropout=dropout)
    assert filled.shape == recorded.shape
    assert filled.isfinite().all()
    if not dropout:
        torch.testing.assert_close(filled, recorded)
