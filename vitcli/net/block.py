"""Mlp, Block: one layer of the transformer, around whichever attention it is given."""

from __future__ import annotations

from typing import final

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vitcli.net.init import linear


@final
class Mlp(nn.Module):
    """Each token by itself through one hidden layer: (batch, tokens, dim) -> (batch, tokens, dim).

    The exact GELU (Hendrycks and Gimpel 2016), as timm and torchvision evaluate ViT weights; dropout after both
    dense layers (Dosovitskiy et al. 2021, B.1).

    Args:
        dim: Width of a token.
        hidden: Width of the hidden layer.
        dropout: Probability of dropping a feature in training, in [0, 1).
    """

    def __init__(self, dim: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout
        self.fc1 = linear(dim, hidden)
        self.fc2 = linear(hidden, dim)

    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """Widen, bend, narrow."""
        hidden = F.dropout(F.gelu(self.fc1(tokens)), self.dropout, self.training)
        return F.dropout(self.fc2(hidden), self.dropout, self.training)


@final
class Block(nn.Module):
    """One pre-norm layer: (batch, tokens, dim) -> (batch, tokens, dim).

    tokens + attention(norm1(tokens)), then tokens + mlp(norm2(tokens)) (Dosovitskiy et al. 2021, equations 2-3).

    Args:
        dim: Width of a token.
        attention: Any module (batch, tokens, dim) -> (batch, tokens, dim).
        mlp_ratio: Hidden width of the Mlp as a multiple of dim, above 0; the product is rounded down.
        dropout: Probability of dropping a feature behind a dense layer in training, in [0, 1).
        norm_eps: Added to the variance in the norms.
    """

    def __init__(
        self, dim: int, attention: nn.Module, mlp_ratio: float = 4.0, dropout: float = 0.0, norm_eps: float = 1e-6
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.norm1 = nn.LayerNorm(dim, eps=norm_eps)
        self.attention = attention
        self.norm2 = nn.LayerNorm(dim, eps=norm_eps)
        self.mlp = Mlp(dim, int(dim * mlp_ratio), dropout)

    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """Add what attention, then what the Mlp has to say."""
        tokens = tokens + F.dropout(self.attention(self.norm1(tokens)), self.dropout, self.training)
        summed: Tensor = tokens + self.mlp(self.norm2(tokens))
        return summed
