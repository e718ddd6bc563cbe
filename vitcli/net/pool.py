"""AttentionPool: attention pooling by a learned query, (batch, tokens, dim) -> (batch, dim)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, final

from jaxtyping import Float
from torch import Tensor, nn

from vitcli.net.init import linear, table

if TYPE_CHECKING:
    from vitcli.net.watch import SeenPool

PoolScore = Literal["dot", "additive"]


@final
class AttentionPool(nn.Module):
    """The weighted mean of the tokens: (batch, tokens, dim) -> (batch, dim).

    The weights are a softmax over the tokens of their scores against one learned query. It begins near zero, so the
    pool begins as a plain mean.

    Args:
        dim: Width of a token.
        score: dot (query . token / sqrt(dim), Luong et al. 2015, scaled as by Vaswani et al. 2017) or additive
            (query . tanh(W token + b), Bahdanau et al. 2015, A.1.2, whose decoder state is constant here: b).
    """

    def __init__(self, dim: int, score: PoolScore = "dot") -> None:
        super().__init__()
        # keeps what is computed, while someone watches (net/watch.py)
        self.watcher: SeenPool | None = None
        self.query = table(dim)
        self.hidden = linear(dim, dim) if score == "additive" else None
        self.scale = dim**-0.5 if score == "dot" else 1.0

    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch dim"]:
        """The context vector."""
        seen = tokens if self.hidden is None else self.hidden(tokens).tanh()
        scores = seen @ self.query * self.scale
        weights = scores.softmax(dim=1)
        context = (weights.unsqueeze(1) @ tokens).squeeze(1)
        if self.watcher is not None:
            self.watcher.keep(scores, weights, context)
        return context
