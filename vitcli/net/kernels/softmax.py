"""mixture: softmax attention by the fastest kernel: plain operators, or one of torch's fused ones."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from vitcli.net.kernels.recompute import again
from vitcli.net.kernels.traced import is_recorded, seen_through

# On a CPU, plain softmax attention beats torch's fused kernel as long as its weights stay in the caches or near them.
# Time of the fused kernel over the plain one, forward / forward and backward, torch 2.15, two Zen cores
# (docs/lab/2026-11-25.md):
#   bfloat16: 50 tokens x 8 heads of 16: 1.6 / 7.2; 197 x 3 of 64: 2.5 / 3.1; 1025 x 8 of 64: 2.3 / 2.2;
#             4097 x 256 x 8 of 64: 2.2 / 1.7; beyond 32 MB at once 1.7 to 2.4 / 2.0 to 13
#   float32:  50 x 8 of 16: 2.2 / 2.3; 197 x 3 of 64: 1.1 / 1.2; 577 x 3 of 64: 0.95 / 1.2; 577 x 8 of 16: 0.4 / 0.8;
#             beyond 32 MB 0.8 to 1.06 / 0.9 to 1.16; on one core alone 0.85 to 1.0 / 0.9 to 1.1 up to 197
# and without AVX-512 (two other Zen cores, without bfloat16 instructions):
#   float32:  50 x 8 of 16: 1.0 / 2.1; 50 x 64 keys: 1.3 / 1.9; 197 x 3 of 64: 0.85 / 0.90 to 0.95;
#             577 and more 0.6 to 0.86 / 0.85 to 0.97; 4097 x 256 x 8 of 64: 0.76 / 0.94
MOST_KEYS, MOST_KEYS_AVX512 = 64, 256
# bytes of attention weights that are worked on at once
PLAIN_BYTES = 2**25
# bytes of attention weights that a layer keeps for its backward pass: computing them again is 5 % of a step at 2048 px
KEPT_BYTES = 2**25
# numbers that torch's softmax for bfloat16 takes at once; the remainder of a row is slow
BFLOAT16_ROW = 32
# query-key pairs a head up to which bfloat16 training takes plain attention, even beyond those bytes
PLAIN_PAIRS = 1025 * 1025
# On a GPU, of torch's fused kernels the memory-efficient one wins for few queries and keys, and loses twofold for many.
# Time of torch's own choice (cuDNN's on an H100) / of flash attention, over the memory-efficient one, bfloat16, forward
# and backward, torch 2.11 (docs/lab/2026-11-26.md):
#   50 tokens: heads of 16 1.26 / 2.2, of 32 1.3 / 2.2, of 64 1.25 / 2.6; 50 x 64 keys: 1.24 / 2.2
#   197 x 64 keys: 0.83 / 1.3; 197 tokens: 0.38 to 0.43 / 0.5 to 0.7; 577 0.32 / 0.4; 4097 0.27 / 0.4
FEW_TOKENS = 64
# torch falls back on the second where the first is missing
FEW_KERNELS = [SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


def mixture(
    queries: Float[Tensor, "batch heads tokens head_dim"],
    keys: Float[Tensor, "batch heads k head_dim"],
    values: Float[Tensor, "batch heads k head_dim"],
    dropout: float,
) -> Float[Tensor, "batch heads tokens head_dim"]:
    """Softmax of queries against keys over the values, by the kernel that is fastest here."""
    at_once = plain_at_once(queries, keys)
    if not at_once:
        return fused(queries, keys, values, dropout)
    if at_once >= len(queries):
        kept_bytes = len(queries) * weight_bytes(queries, keys)
        if kept_bytes <= KEPT_BYTES:
            return plain(queries, keys, values, dropout)
        return again(plain, queries, keys, values, dropout, kept_bytes=kept_bytes, random=dropout > 0)
    starts = range(0, len(queries), at_once)
    parts = [[part[start : start + at_once] for part in (queries, keys, values)] for start in starts]
    return torch.cat([plain(q, k, v, dropout) for q, k, v in parts])


def fused(
    queries: Float[Tensor, "batch heads tokens head_dim"],
    keys: Float[Tensor, "batch heads k head_dim"],
    values: Float[Tensor, "batch heads k head_dim"],
    dropout: float,
) -> Float[Tensor, "batch heads tokens head_dim"]:
    """Softmax of queries against keys over the values, by torch's fused kernel."""
    if not are_few(queries, keys):
        return F.scaled_dot_product_attention(queries, keys, values, dropout_p=dropout)
    with sdpa_kernel(FEW_KERNELS):
        return F.scaled_dot_product_attention(queries, keys, values, dropout_p=dropout)


def are_few(queries: Tensor, keys: Tensor) -> bool:
    """Whether these are few queries and few keys, in half precision on a GPU."""
    return (
        queries.device.type == "cuda"
        and queries.dtype in (torch.bfloat16, torch.float16)
        and max(queries.shape[2], keys.shape[2]) <= FEW_TOKENS
        # wider heads were not measured; those of no multiple of 16 bytes are padded for flash attention, not for this
        and queries.shape[3] <= 64
        and queries.shape[3] % 8 == 0
    )


def plain_at_once(queries: Tensor, keys: Tensor) -> int:
    """For how many images at once plain attention is the faster one; 0 for none."""
    if seen_through(queries) or queries.device.type != "cpu":
        return 0
    batch, pairs = len(queries), queries.shape[2] * keys.shape[2]
    fit = PLAIN_BYTES // max(1, weight_bytes(queries, keys))
    backward = is_recorded(queries)
    if queries.dtype == torch.bfloat16:
        return batch if backward and pairs <= PLAIN_PAIRS else fit
    most_keys = MOST_KEYS_AVX512 if torch.backends.cpu.get_cpu_capability() == "AVX512" else MOST_KEYS
    if queries.dtype != torch.float32 or keys.shape[2] > most_keys or torch.get_num_threads() == 1:
        return 0
    # all weights count where they are kept for the backward pass
    return fit if fit >= batch or not backward else 0


def weight_bytes(queries: Tensor, keys: Tensor) -> int:
    """Bytes of the attention weights of one image."""
    return queries.shape[1] * queries.shape[2] * keys.shape[2] * queries.element_size()


def plain(
    queries: Float[Tensor, "batch heads tokens head_dim"],
    keys: Float[Tensor, "batch heads k head_dim"],
    values: Float[Tensor, "batch heads k head_dim"],
    dropout: float,
) -> Float[Tensor, "batch heads tokens head_dim"]:
    """Softmax of queries against keys over the values, as separate operators."""
    scaled = queries * queries.shape[3] ** -0.5
    lacking = -keys.shape[2] % BFLOAT16_ROW
    if not lacking or queries.dtype != torch.bfloat16 or is_recorded(queries, keys, values):
        return F.dropout(softmax(scaled @ keys.transpose(2, 3)), dropout) @ values
    # masked keys pad the rows for torch's fast softmax, which saves 6 to 9 % of the forward pass at 50 tokens and
    # dim 128; with gradients, the wider products cost what that gains
    keys, values = (F.pad(part, (0, 0, 0, lacking)) for part in (keys, values))
    scores = scaled @ keys.transpose(2, 3)
    scores[..., -lacking:] = -torch.inf
    return F.dropout(scores.softmax(dim=3), dropout) @ values


def softmax(scores: Float[Tensor, "batch heads tokens k"]) -> Float[Tensor, "batch heads tokens k"]:
    """Softmax over the keys, in the precision of the scores.

    torch's kernel for bfloat16 computes in float32 as well, but takes twice as long for rows that are no multiple of 32
    numbers: 1.1 against 0.5 ms for 25,600 rows of 50.
    """
    if scores.dtype == torch.bfloat16 and scores.shape[3] % BFLOAT16_ROW:
        weights: Tensor = _ByFloat.apply(scores)
        return weights
    return scores.softmax(dim=3)


class _ByFloat(torch.autograd.Function):
    """softmax of bfloat16 by the kernel for float32, of which only the outcome in bfloat16 is kept."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor) -> Tensor:
        weights = scores.float().softmax(dim=3).to(scores.dtype)
        ctx.save_for_backward(weights)
        return weights

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (weights,) = ctx.saved_tensors
        return torch._softmax_backward_data(grad, weights, 3, weights.dtype)
