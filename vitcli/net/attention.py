"""SelfAttention, LinformerAttention: the only lines in which the backends differ."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vitcli.net.init import linear


class Attention(nn.Module, ABC):
    """Tokens that look at each other: (batch, tokens, dim) -> (batch, tokens, dim).

    What all kinds share: one fused projection to queries, keys and values (rows q | k | v, each head by head, as
    in timm and vit-pytorch), and the projection back. The width between is heads * head_dim, which may differ
    from dim.

    Args:
        dim: Width of a token.
        heads: Number of heads.
        head_dim: Width of a head.
        qkv_bias: Whether queries, keys and values have a bias.
        dropout: Probability of dropping an attention weight in training, in [0, 1).
    """

    def __init__(self, dim: int, heads: int, head_dim: int, qkv_bias: bool, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.head_dim = head_dim
        self.dropout = dropout
        self.qkv = linear(dim, 3 * heads * head_dim, bias=qkv_bias)
        self.proj = linear(heads * head_dim, dim)

    @abstractmethod
    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """Every token as a mixture of all of them."""

    def split(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch heads tokens head_dim"]:
        """Each head's share of the features; dim is heads * head_dim here."""
        return tokens.reshape(*tokens.shape[:2], self.heads, self.head_dim).transpose(1, 2)

    def attend(
        self,
        queries: Float[Tensor, "batch heads tokens head_dim"],
        keys: Float[Tensor, "batch heads k head_dim"],
        values: Float[Tensor, "batch heads k head_dim"],
    ) -> Float[Tensor, "batch tokens dim"]:
        """Softmax of queries against keys, scaled by head_dim ** -0.5, over the values; k = tokens if full."""
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(queries, keys, values, dropout_p=dropout)
        joined: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return joined


@final
class SelfAttention(Attention):
    """Full attention, every token over every token: (batch, tokens, dim) -> (batch, tokens, dim).

    Vaswani et al. 2017, 3.2.2; the numbers are those of timm's Attention. Work grows with tokens squared.

    Args:
        dim: Width of a token.
        heads: Number of heads.
        head_dim: Width of a head.
        qkv_bias: Whether queries, keys and values have a bias.
        dropout: Probability of dropping an attention weight in training, in [0, 1).
    """

    def __init__(self, dim: int, heads: int, head_dim: int, qkv_bias: bool = True, dropout: float = 0.0) -> None:
        super().__init__(dim, heads, head_dim, qkv_bias, dropout)

    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """Every token as a mixture of all of them."""
        queries, keys, values = self.qkv(tokens).chunk(3, dim=2)
        return self.attend(self.split(queries), self.split(keys), self.split(values))


@final
class LinformerAttention(Attention):
    """Attention over k mixtures of the tokens: (batch, tokens, dim) -> (batch, tokens, dim).

    Wang et al. 2020, 4.1: keys and values are projected along the tokens, E^T K and F^T V, so that work grows with
    tokens * k. E and F belong to one layer and are shared by its heads (the paper's headwise sharing, and what the
    linformer package does); the bias of keys and values comes before them, as in the paper.

    They begin as a normal of variance 1 / tokens, so that a projected key is as large as a key at any resolution;
    the paper's 1 / k makes it sqrt(tokens / k) times as large.

    Args:
        tokens: Number of tokens.
        dim: Width of a token.
        heads: Number of heads.
        head_dim: Width of a head.
        k: Number of mixtures, at least 1.
        qkv_bias: Whether queries, keys and values have a bias.
        dropout: Probability of dropping an attention weight in training, in [0, 1).
    """

    def __init__(
        self,
        tokens: int,
        dim: int,
        heads: int,
        head_dim: int,
        k: int,
        qkv_bias: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(dim, heads, head_dim, qkv_bias, dropout)
        self.project_keys = nn.Parameter(torch.empty(tokens, k))
        self.project_values = nn.Parameter(torch.empty(tokens, k))
        for projection in (self.project_keys, self.project_values):
            nn.init.normal_(projection, std=tokens**-0.5)

    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """Every token as a mixture of k mixtures."""
        queries, keys, values = self.qkv(tokens).chunk(3, dim=2)
        keys = self.project_keys.t() @ keys
        values = self.project_values.t() @ values
        return self.attend(self.split(queries), self.split(keys), self.split(values))
