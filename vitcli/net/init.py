"""Initialisation of weights: a truncated normal with standard deviation 0.02, biases zero, as in timm and DeiT."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vitcli.net.kernels.dense import Dense
from vitcli.net.kernels.undrawn import is_undrawn

STD = 0.02


def table(*shape: int) -> nn.Parameter:
    """A learned table (tokens, positions) of the given shape."""
    return nn.Parameter(small(torch.empty(shape)))


def linear(inputs: int, outputs: int, bias: bool = True) -> nn.Linear:
    """A dense layer: (..., inputs) -> (..., outputs)."""
    layer = Dense(inputs, outputs, bias=bias)
    small(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def small(weight: Tensor) -> Tensor:
    """Fill a tensor in place."""
    return weight.detach().zero_() if is_undrawn() else nn.init.trunc_normal_(weight, std=STD)
