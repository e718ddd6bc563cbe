"""again: activation checkpointing of a large result: recomputed in the backward pass, where that is cheap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from vitcli.net.kernels.traced import seen_through

# smaller ones cost more time in calls than they are worth in memory
LARGE_BYTES = 2**23


def again(function: Callable[..., Tensor], *inputs: Any, kept_bytes: int | torch.SymInt, random: bool) -> Tensor:
    """function(*inputs); on a CPU, what it keeps for the backward pass is computed again there, if it is large.

    Only for what is cheap beside the layer's products: at 4097 tokens of 512 features, the activation in an Mlp costs
    1 % of a training step to compute again, for a seventh of the step's memory. The weights of Linformer's attention
    would save as much, but cost 5 %: up to 32 MB of them are kept (docs/lab/2026-11-25.md). The numbers are the same,
    bit for bit.

    Args:
        function: What is computed.
        *inputs: Its arguments; they are kept in any case.
        kept_bytes: Size of what it keeps.
        random: Whether it draws random numbers, which must be the same again.
    """
    first = next(one for one in inputs if isinstance(one, Tensor))
    if seen_through(first) or first.device.type != "cpu" or not torch.is_grad_enabled() or kept_bytes < LARGE_BYTES:
        return function(*inputs)
    computed: Tensor = checkpoint(function, *inputs, use_reentrant=False, preserve_rng_state=random)
    return computed
