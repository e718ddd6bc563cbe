"""Mlp, Block: one layer of the transformer, around any attention."""

from __future__ import annotations

from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vitcli.net.init import linear
from vitcli.net.kernels.recompute import again

Activation = Literal["gelu", "gelu_tanh", "quick_gelu"]


@final
class Mlp(nn.Module):
    """Each token by itself through one hidden layer: (batch, tokens, dim) -> (batch, tokens, dim).

    Dropout after both dense layers (Dosovitskiy et al. 2021, B.1).

    Args:
        dim: Width of a token.
        hidden: Width of the hidden layer.
        dropout: Probability of dropping a feature in training, in [0, 1).
        activation: gelu (exact, Hendrycks and Gimpel 2016), gelu_tanh (its approximation), quick_gelu (by a sigmoid).
    """

    def __init__(self, dim: int, hidden: int, dropout: float = 0.0, activation: Activation = "gelu") -> None:
        super().__init__()
        self.dropout = dropout
        self.activation = activation
        self.fc1 = linear(dim, hidden)
        self.fc2 = linear(hidden, dim)

    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """Dense layer, activation, dense layer."""
        hidden = self.fc1(tokens)
        dropped = self.training and self.dropout > 0
        narrowed = again(self._narrowed, hidden, kept_bytes=hidden.numel() * hidden.element_size(), random=dropped)
        return F.dropout(narrowed, self.dropout, self.training)

    def _narrowed(self, hidden: Float[Tensor, "batch tokens hidden"]) -> Float[Tensor, "batch tokens dim"]:
        if self.activation == "quick_gelu":
            hidden = hidden * torch.sigmoid(1.702 * hidden)
        else:
            hidden = F.gelu(hidden, approximate="tanh" if self.activation == "gelu_tanh" else "none")
        narrowed: Tensor = self.fc2(F.dropout(hidden, self.dropout, self.training))
        return narrowed


@final
class Block(nn.Module):
    """One pre-norm layer: (batch, tokens, dim) -> (batch, tokens, dim).

    tokens + attention(norm1(tokens)), then tokens + mlp(norm2(tokens)) (Dosovitskiy et al. 2021, equations 2-3).

    Args:
        dim: Width of a token.
        attention: Any module (batch, tokens, dim) -> (batch, tokens, dim).
        mlp_ratio: Hidden width of the Mlp as a multiple of dim, above 0; the product is rounded down.
        dropout: Probability of dropping a feature after a dense layer in training, in [0, 1).
        norm_eps: Added to the variance in the norms.
        activation: Activation of the Mlp: gelu, gelu_tanh or quick_gelu.
        layer_scale: Where the learned scale of both branches begins; null: they are added as they are.
        stochastic_depth: Probability of leaving out a branch in training, for each image by itself, in [0, 1).
    """

    def __init__(
        self,
        dim: int,
        attention: nn.Module,
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
        norm_eps: float = 1e-6,
        activation: Activation = "gelu",
        layer_scale: float | None = None,
        stochastic_depth: float = 0.0,
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.stochastic_depth = stochastic_depth
        self.norm1 = nn.LayerNorm(dim, eps=norm_eps)
        self.attention = attention
        self.norm2 = nn.LayerNorm(dim, eps=norm_eps)
        self.mlp = Mlp(dim, int(dim * mlp_ratio), dropout, activation)
        self.scale1 = nn.Parameter(torch.full((dim,), layer_scale)) if layer_scale is not None else None
        self.scale2 = nn.Parameter(torch.full((dim,), layer_scale)) if layer_scale is not None else None

    def forward(
        self, tokens: Float[Tensor, "batch tokens dim"], *context: Tensor, leading: int | None = None
    ) -> Float[Tensor, "batch seen dim"]:
        """Add the output of the attention, then of the Mlp; the context is passed to the attention.

        Args:
            tokens: The tokens.
            *context: Further inputs of the attention.
            leading: How many of the first tokens are wanted; null: all. The others are only attended to.
        """
        if leading is None:
            attended = self.attention(self.norm1(tokens), *context)
        else:
            attended = self.attention(self.norm1(tokens), *context, leading=leading)
            tokens = tokens[:, :leading]
        tokens = tokens + self._branch(F.dropout(attended, self.dropout, self.training), self.scale1)
        return tokens + self._branch(self.mlp(self.norm2(tokens)), self.scale2)

    def _branch(self, branch: Tensor, scale: Tensor | None) -> Tensor:
        branch = branch if scale is None else branch * scale
        if not self.training or not self.stochastic_depth:
            return branch
        # Huang et al. 2016; what is kept is scaled up, so that the mean is the same
        kept = 1 - self.stochastic_depth
        return branch * branch.new_empty(branch.shape[0], 1, 1).bernoulli_(kept).div_(kept)
