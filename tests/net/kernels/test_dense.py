"""A dense layer is torch's, by whichever kernel it is computed."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vitcli.net.kernels import dense as module
from vitcli.net.kernels.dense import Dense, by_onednn, dense, has_bfloat16, in_bfloat16, product_of

WITH_ONEDNN = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.mkldnn, "_linear_pointwise"),
    reason="this torch has no oneDNN",
)


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """oneDNN's kernel, on any processor."""
    monkeypatch.setattr(module, "is_slow_by_mkl", lambda: True)


def results(function, inputs, weight, bias):
    leaves = [tensor.detach().clone().requires_grad_() for tensor in (inputs, weight, bias) if tensor is not None]
    output = function(*leaves, *(() if bias is not None else (None,)))
    grad = torch.cos(torch.arange(output.numel(), dtype=output.dtype)).view_as(output)
    return output, *torch.autograd.grad(output, leaves, grad)


@WITH_ONEDNN
@pytest.mark.usefixtures("chosen")
@pytest.mark.parametrize("shape", [(7,), (1, 7), (3, 5, 7), (2, 3, 4, 7)])
@pytest.mark.parametrize("outputs", [3, 11])
@pytest.mark.parametrize("bias", [True, False])
def test_product_and_gradients_are_torchs(shape, outputs, bias):
    inputs, weight = torch.randn(*shape), torch.randn(outputs, shape[-1])
    offset = torch.randn(outputs) if bias else None
    assert by_onednn(inputs, weight)
    for ours, torchs in zip(
        results(dense, inputs, weight, offset), results(F.linear, inputs, weight, offset), strict=True
    ):
        torch.testing.assert_close(ours, torchs, rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(dense(inputs, weight, offset), F.linear(inputs, weight, offset))


@WITH_ONEDNN
@pytest.mark.usefixtures("chosen")
def test_strided_inputs_and_frozen_parts_are_taken():
    inputs = torch.randn(6, 4, 5).transpose(0, 1)[:, ::2]
    weight = torch.randn(5, 9).t()[1:8]
    torch.testing.assert_close(dense(inputs, weight), F.linear(inputs, weight))
    weight = nn.Parameter(torch.randn(7, 5), requires_grad=False)
    inputs = torch.randn(3, 5, requires_grad=True)
    dense(inputs, weight).sum().backward()
    torch.testing.assert_close(inputs.grad, weight.sum(0).expand(3, 5))
    torch.testing.assert_close(product_of(torch.ones(4, 2), torch.ones(4, 3)), torch.full((2, 3), 4.0))


@pytest.mark.usefixtures("chosen")
def test_everything_else_stays_with_torch():
    weight = torch.randn(3, 4)
    assert not by_onednn(torch.randn(2, 4).double(), weight.double())
    assert not by_onednn(torch.randn(0, 4), weight)
    assert not by_onednn(torch.randn(2, 4, device="meta"), weight.to("meta"))
    with torch.autocast("cpu", torch.bfloat16):
        assert not by_onednn(torch.randn(2, 4), weight)
        assert dense(torch.randn(2, 4), weight).dtype == torch.bfloat16
    seen = []
    torch.func.vmap(lambda inputs: seen.append(by_onednn(inputs, weight)) or inputs)(torch.randn(2, 5, 4))
    assert seen == [False]


@pytest.mark.skipif(not has_bfloat16(), reason="this processor or this torch computes no bfloat16 by oneDNN")
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_a_product_in_bfloat16_without_gradients_is_torchs(bias, kind):
    inputs, weight = torch.randn(4, 50, 128).to(kind), nn.Parameter(torch.randn(96, 128))
    offset = torch.randn(96) if bias else None
    assert not in_bfloat16(inputs)
    with torch.autocast("cpu", torch.bfloat16):
        assert in_bfloat16(inputs)
        recorded = dense(inputs, weight, offset)
        with torch.no_grad():
            plain = dense(inputs, weight, offset)
            torch.testing.assert_close(plain, F.linear(inputs, weight, offset))
    assert recorded.requires_grad
    assert plain.dtype == torch.bfloat16
    with torch.autocast("cpu", torch.float16):
        assert not in_bfloat16(inputs)


@WITH_ONEDNN
@pytest.mark.usefixtures("chosen")
def test_vmap_and_per_sample_gradients_work():
    weight, inputs = torch.randn(3, 4), torch.randn(5, 4)
    gradients = torch.func.vmap(torch.func.grad(lambda row: dense(row, weight).square().sum()))(inputs)
    torch.testing.assert_close(gradients, 2 * inputs @ weight.t() @ weight)


def test_a_dense_layer_has_torchs_names_and_travels():
    layer = Dense(4, 3)
    assert isinstance(layer, nn.Linear)
    assert list(layer.state_dict()) == ["weight", "bias"]
    inputs = torch.randn(2, 4)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(other(inputs), layer(inputs))


@WITH_ONEDNN
@pytest.mark.usefixtures("chosen")
def test_the_same_product_twice_is_the_same_bits():
    inputs, weight, bias = torch.randn(64, 50, 128), torch.randn(512, 128), torch.randn(512)
    for one, other in zip(results(dense, inputs, weight, bias), results(dense, inputs, weight, bias), strict=True):
        assert torch.equal(one, other)
