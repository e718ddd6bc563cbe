"""mixed: a linear layer in mixed precision for torch.compile, which fuses the sums of its bias gradient."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from vitcli.net.kernels.traced import is_recorded

# where a product in half precision can return float32
DEVICE = "cuda"
# Fewest weights, and fewest sums of gradients (images x features), of a layer that is mixed. Speed of a training step
# over torch's own layer, bfloat16, H100, torch 2.11 (docs/lab/2026-11-26.md), from the smallest to the largest layer:
#   ViT-B/16, 128 images of 197 tokens: 590k to 2.4M weights, 98k to 393k sums: 1.04
#   Linformer, 8 images of 4097 tokens: 262k to 1.0M weights, 4k to 16k sums: 0.90
#   dim 128, 512 images of 50 tokens: 16k to 66k weights, 66k to 262k sums: 0.95
LARGE_WEIGHTS, MANY_SUMS = 2**19, 2**16


def is_mixed(inputs: Tensor, weight: Tensor) -> bool:
    """Whether a large layer that is trained on many images in mixed precision is being compiled for a GPU."""
    return bool(
        torch.compiler.is_compiling()
        and inputs.device.type == DEVICE
        and weight.dtype == torch.float32
        and torch.is_autocast_enabled(DEVICE)
        and is_recorded(weight)
        and weight.numel() >= LARGE_WEIGHTS
        and math.prod(inputs.shape[:-2]) * weight.shape[0] >= MANY_SUMS
    )


def mixed(
    inputs: Float[Tensor, "*images tokens inputs"], weight: Float[Tensor, "outputs inputs"], bias: Tensor | None
) -> Float[Tensor, "*images tokens outputs"]:
    """The dense layer that autocast computes: a product in half precision, bfloat16 or float16.

    Two things differ in the gradients. That of the bias is summed over the tokens of each image first: the compiler
    fuses such a sum into the kernel that computes the rows, while a sum over all rows at once takes another kernel,
    which reads them again. And those of weight and bias stay in float32, as they are added to float32 numbers; casting
    them to half precision and back takes two passes.
    """
    halved: Tensor = inputs.to(torch.get_autocast_dtype(DEVICE))
    product: Tensor = _Mixed.apply(halved, weight, bias)
    return product


class _Mixed(torch.autograd.Function):
    """Dense, of inputs in half precision and parameters in float32."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        halved = weight.to(inputs.dtype)
        ctx.save_for_backward(inputs, halved)
        ctx.has_bias = bias is not None
        return F.linear(inputs, halved, None if bias is None else bias.to(inputs.dtype))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        inputs, weight = ctx.saved_tensors
        rows = grad.reshape(-1, grad.shape[-1])
        of_weight = torch.mm(rows.t(), inputs.reshape(-1, inputs.shape[-1]), out_dtype=torch.float32)
        by_image = grad.sum(dim=-2, dtype=torch.float32) if ctx.has_bias else None
        of_bias = None if by_image is None else by_image.reshape(-1, grad.shape[-1]).sum(dim=0)
        return grad @ weight, of_weight, of_bias
