"""A dense layer in mixed precision has the gradients of torch's, and compilers see through it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.warm import Warm
from vitcli.net.kernels import half as module
from vitcli.net.kernels.half import is_mixed, mixed

COMPILED = """
import torch
from vitcli.net.kernels import half as module
from vitcli.net.kernels.dense import dense

module.DEVICE, module.LARGE_WEIGHTS, module.MANY_SUMS = "cpu", 28, 20
inputs, bias = torch.randn(5, 3, 7), torch.randn(4, requires_grad=True)
weight = torch.randn(4, 7, requires_grad=True)
for extra in ([], [bias]):
    # of the backward pass too, which Dynamo follows at once; it runs on GPUs alone
    compiled = torch.compile(dense, backend="eager", fullgraph=True)
    with torch.autocast("cpu", torch.bfloat16):
        product = compiled(inputs, weight, *extra)
        assert "Apply" in repr(product.grad_fn), product.grad_fn
        assert torch.equal(product, module.mixed(inputs, weight, *(extra or [None])))
        assert "Apply" not in repr(torch.compile(dense, backend="eager")(inputs, weight.detach(), *extra).grad_fn)
        with torch.no_grad():
            assert compiled(inputs, weight, *extra).dtype == torch.bfloat16
    assert compiled(inputs, weight, *extra).dtype == torch.float32
"""
SHAPES = [(3, 7), (5, 3, 7), (2, 5, 3, 7), (4, 1, 7)]


@pytest.fixture(autouse=True)
def _product(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's product of halved numbers in float32, which is there for GPUs alone."""
    monkeypatch.setattr(torch, "mm", lambda first, second, out_dtype: first.to(out_dtype) @ second.to(out_dtype))


def parts(shape: tuple[int, ...], bias: bool) -> list[Tensor]:
    """Inputs, weight and bias that are exact in half precision."""
    torch.manual_seed(0)
    made = [torch.randn(*shape), torch.randn(4, shape[-1]), *([torch.randn(4)] if bias else [])]
    return [part.half().float().requires_grad_() for part in made]


def results(layer, leaves: list[Tensor]) -> tuple[Tensor, ...]:
    output = layer(*leaves, *([None] if len(leaves) == 2 else []))
    grad = torch.cos(torch.arange(output.numel())).view_as(output).half()
    return output, *torch.autograd.grad(output, leaves, grad.to(output.dtype))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bias", [True, False])
def test_product_and_gradients_are_a_dense_layers(shape: tuple[int, ...], bias: bool):
    leaves = parts(shape, bias)
    output, of_inputs, *of_parameters = results(mixed, leaves)
    expected = results(F.linear, leaves)
    assert output.dtype == torch.float16
    # halved once; those of weight and bias not even once
    torch.testing.assert_close(output.float(), expected[0], rtol=1e-3, atol=1e-2)
    torch.testing.assert_close(of_inputs, expected[1], rtol=1e-3, atol=1e-2)
    for got, exact in zip(of_parameters, expected[2:], strict=True):
        assert got.dtype == torch.float32
        torch.testing.assert_close(got, exact, rtol=1e-5, atol=1e-5)


def test_a_compiler_sees_through_it(programs: Warm):
    # in a process of its own, for no compiler sees through the checks of shapes that are on in this one
    done = programs.run(code=COMPILED)
    assert done.returncode == 0, done.stderr


def test_a_frozen_part_has_no_gradient():
    inputs, weight, bias = parts((5, 3, 7), True)
    mixed(inputs, weight, bias.requires_grad_(False)).sum().backward()
    assert bias.grad is None
    assert weight.grad is not None


def asked(inputs: Tensor, weight: Tensor) -> bool:
    """What a compiler is answered."""
    seen = []

    def layer(inputs: Tensor, weight: Tensor) -> Tensor:
        seen.append(is_mixed(inputs, weight))
        return F.linear(inputs, weight)

    with torch.autocast("cpu", torch.bfloat16):
        torch.compile(layer, backend="eager")(inputs, weight)
    torch._dynamo.reset()
    return seen[0]


def test_it_is_for_large_layers_and_many_images_in_compiled_training_on_a_gpu(monkeypatch: pytest.MonkeyPatch):
    inputs, weight = torch.randn(5, 3, 7), torch.nn.Parameter(torch.randn(4, 7))
    monkeypatch.setattr(module, "LARGE_WEIGHTS", 28)
    monkeypatch.setattr(module, "MANY_SUMS", 20)
    assert not asked(inputs, weight)
    monkeypatch.setattr(module, "DEVICE", "cpu")
    assert asked(inputs, weight)
    with torch.autocast("cpu", torch.bfloat16):
        assert not is_mixed(inputs, weight)
    assert not asked(inputs, weight.detach())
    assert not asked(inputs.bfloat16(), torch.nn.Parameter(weight.bfloat16()))
    monkeypatch.setattr(module, "MANY_SUMS", 21)
    assert not asked(inputs, weight)
    assert not asked(inputs[0], weight)
    monkeypatch.setattr(module, "MANY_SUMS", 20)
    monkeypatch.setattr(module, "LARGE_WEIGHTS", 29)
    assert not asked(inputs, weight)
