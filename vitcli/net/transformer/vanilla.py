"""VanillaTransformer: the backend of blocks with full attention."""

from __future__ import annotations

from typing import Any, final

from jaxtyping import Float
from torch import Tensor

from vitcli.net.transformer.attention import SelfAttention
from vitcli.net.transformer.stack import Stack


@final
class VanillaTransformer(Stack):
    """Full attention, as in the Vision Transformer: (batch, tokens, dim) -> (batch, tokens, dim).

    Dosovitskiy et al. 2021, 3.1; the numbers are those of timm's VisionTransformer.blocks.

    Args:
        tokens: Number of tokens; given by the net.
        dim: Width of a token; given by the net.
        **options: What every stack of blocks takes.

    Raises:
        ConfigError: A size below 1, heads that do not divide dim, a probability outside [0, 1).
    """

    def __init__(
        self,
        tokens: int,
        dim: int,
        **options: Any,
    ) -> None:
        super().__init__(dim, **options)
        self.blocks = self.stacked(SelfAttention, [{}] * self.depth)

    def forward(
        self, tokens: Float[Tensor, "batch tokens dim"], leading: int | None = None, layers: int = 1
    ) -> Float[Tensor, "batch seen layers_dim"]:
        """Through all blocks."""
        return self.through(self.blocks, tokens, leading=leading, layers=layers)
