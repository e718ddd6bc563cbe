"""Whether a tensor is traced: by autograd for gradients, by a compiler, or by an exporter."""

from __future__ import annotations

import torch
from torch import Tensor


def is_recorded(*tensors: Tensor | None) -> bool:
    """Whether autograd keeps what is computed of these, for gradients."""
    return torch.is_grad_enabled() and any(one is not None and one.requires_grad for one in tensors)


def seen_through(tensor: Tensor) -> bool:
    """Whether a compiler, an exporter or torch.func traces a tensor, and knows only torch's own operators."""
    return bool(
        torch.compiler.is_compiling()
        or torch.compiler.is_exporting()
        or torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        or torch._C._functorch.is_functorch_wrapped_tensor(tensor)
    )
