"""Dense: a linear layer whose matrix product is computed by the fastest kernel of this CPU (MKL or oneDNN)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vitcli.net.kernels.half import is_mixed, mixed
from vitcli.net.kernels.traced import is_recorded, seen_through
from vitcli.net.kernels.undrawn import is_undrawn


@final
class Dense(nn.Linear):
    """torch's dense layer: (..., inputs) -> (..., outputs), with its names and its numbers."""

    def reset_parameters(self) -> None:
        """Draw weights as torch does, unless they are loaded next."""
        if not is_undrawn():
            super().reset_parameters()

    def forward(self, input: Float[Tensor, "*any inputs"]) -> Float[Tensor, "*any outputs"]:  # noqa: A002 -- torch's name
        """The product and the bias."""
        return dense(input, self.weight, self.bias)


def dense(
    inputs: Float[Tensor, "*any inputs"], weight: Float[Tensor, "outputs inputs"], bias: Tensor | None = None
) -> Float[Tensor, "*any outputs"]:
    """Torch's linear function.

    torch multiplies float32 on a CPU by MKL, which uses half of what an AMD CPU with AVX-512 can do: 105 of 240 GFLOP/s
    on one core, by oneDNN 230 to 250, forward and backward (docs/lab/2026-11-25.md). oneDNN comes with torch; it
    computes bfloat16 and convolutions in any case.
    """
    if is_mixed(inputs, weight):
        return mixed(inputs, weight, bias)
    recorded = is_recorded(inputs, weight, bias)
    if not recorded and in_bfloat16(inputs):
        half = torch.bfloat16
        return multiply(inputs.to(half), weight.to(half), None if bias is None else bias.to(half))
    if not by_onednn(inputs, weight):
        return F.linear(inputs, weight, bias)
    if recorded:
        product: Tensor = _Product.apply(inputs, weight, bias)
        return product
    return multiply(inputs, weight, bias)


def in_bfloat16(inputs: Tensor) -> bool:
    """Whether autocast asks for a product in bfloat16 that oneDNN can compute with its bias in one go.

    torch copies the bias to every row first and adds the product to it: 3 to 8 % of a forward pass at 50 tokens and
    dim 128 (docs/lab/2026-11-25.md). With gradients, the calls of a custom autograd function cost as much.
    """
    return bool(
        may_be_onednns(inputs)
        and torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") == torch.bfloat16
        and inputs.dtype in (torch.float32, torch.bfloat16)
        and has_bfloat16()
    )


def may_be_onednns(inputs: Tensor) -> bool:
    """Whether this is a tensor on a CPU that no compiler traces, and oneDNN is not switched off."""
    return bool(
        not seen_through(inputs)
        and inputs.device.type == "cpu"
        and inputs.numel() > 0
        and torch.backends.mkldnn.enabled
    )


@cache
def has_onednn() -> bool:
    """Whether this torch comes with oneDNN's product."""
    return bool(
        torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


@cache
def has_bfloat16() -> bool:
    """Whether oneDNN is here and computes in bfloat16 on this CPU."""
    return has_onednn() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def by_onednn(inputs: Tensor, weight: Tensor) -> bool:
    """Whether oneDNN takes a product over from MKL: float32 on a CPU where it is faster, not traced by a compiler."""
    return bool(
        may_be_onednns(inputs)
        and inputs.dtype == weight.dtype == torch.float32
        and is_slow_by_mkl()
        and not torch.is_autocast_enabled("cpu")
    )


@cache
def is_slow_by_mkl() -> bool:
    """Whether this is a CPU on which MKL does not use the wide registers: AMD's with AVX-512."""
    if not torch.backends.mkl.is_available() or not has_onednn():  # type: ignore[no-untyped-call]
        return False
    if torch.backends.cpu.get_cpu_capability() != "AVX512":
        return False
    try:
        return "AuthenticAMD" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False


def multiply(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Inputs @ weight.T + bias by oneDNN, without a gradient."""
    product: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")
    return product


class _Product(torch.autograd.Function):
    """multiply, with its gradients, which are products by oneDNN as well."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        return multiply(inputs, weight, bias)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        inputs, weight = ctx.saved_tensors
        of_inputs, of_weight, of_bias = ctx.needs_input_grad
        rows = grad.reshape(-1, grad.shape[-1])
        return (
            multiply(grad, weight.t(), None) if of_inputs else None,
            product_of(rows, inputs.reshape(-1, inputs.shape[-1])) if of_weight else None,
            rows.sum(0) if of_bias else None,
        )


def product_of(grad: Float[Tensor, "rows outputs"], inputs: Float[Tensor, "rows inputs"]) -> Tensor:
    """grad.T @ inputs: (outputs, inputs), which is the gradient of a weight; without a gradient of its own."""
    if not by_onednn(inputs, grad):
        return grad.t() @ inputs
    # faster with the shorter side first
    if grad.shape[1] <= inputs.shape[1]:
        return multiply(grad.t(), inputs.t(), None)
    return multiply(inputs.t(), grad.t(), None).t()
