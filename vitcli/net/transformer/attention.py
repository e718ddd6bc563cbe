"""SelfAttention (full) and LinformerAttention: the only code in which the backends differ."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vitcli.net.init import linear
from vitcli.net.kernels.dense import dense
from vitcli.net.kernels.softmax import mixture
from vitcli.net.transformer.projection import Mixer, Projection, ProjInit

if TYPE_CHECKING:
    from vitcli.net.watch import Seen

OutProj = Literal["biased", "unbiased", "none"]
Sharing = Literal["none", "headwise", "kv", "layerwise"]


class Attention(nn.Module, ABC):
    """Attention between tokens: (batch, tokens, dim) -> (batch, tokens, dim).

    What all kinds share: one fused projection to queries, keys and values (rows q | k | v, each head by head, as
    in timm and vit-pytorch), and the projection back. The width between is heads * head_dim, which may differ
    from dim.

    Args:
        dim: Width of a token.
        heads: Number of heads.
        head_dim: Width of a head.
        widths: Features of the queries, of the keys, and of the values where they are not the keys.
        qkv_bias: Whether queries, keys and values have a bias.
        dropout: Probability of dropping an attention weight in training, in [0, 1).
        out_proj: The projection back: biased, unbiased, or none (heads * head_dim is dim then).
        qk_norm: Whether each head's queries and keys are normalised.
        norm_eps: Added to the variance in those norms.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        head_dim: int,
        widths: list[int],
        qkv_bias: bool,
        dropout: float,
        out_proj: OutProj,
        qk_norm: bool,
        norm_eps: float,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.head_dim = head_dim
        self.widths = widths
        self.dropout = dropout
        # keeps what is computed, while someone watches (net/watch.py)
        self.watcher: Seen | None = None
        self.qkv = linear(dim, sum(widths), bias=qkv_bias)
        self.q_norm = nn.LayerNorm(head_dim, eps=norm_eps) if qk_norm else None
        self.k_norm = nn.LayerNorm(head_dim, eps=norm_eps) if qk_norm else None
        self.proj = linear(heads * head_dim, dim, bias=out_proj == "biased") if out_proj != "none" else None

    @abstractmethod
    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch seen dim"]:
        """Every token as a mixture of all of them."""

    def projected(self, tokens: Float[Tensor, "batch tokens dim"], leading: int | None) -> tuple[Tensor, ...]:
        """Queries, keys, and values where they are not the keys; the queries of leading tokens alone, if so many."""
        if leading is None:
            return torch.split(self.qkv(tokens), self.widths, dim=2)
        queries = self.part(tokens[:, :leading], slice(self.widths[0]))
        return queries, *torch.split(self.part(tokens, slice(self.widths[0], None)), self.widths[1:], dim=2)

    def part(self, tokens: Float[Tensor, "batch tokens dim"], rows: slice) -> Float[Tensor, "batch tokens _"]:
        """Some of the features that qkv makes of tokens."""
        bias = self.qkv.bias
        return dense(tokens, self.qkv.weight[rows], None if bias is None else bias[rows])

    def normed(self, tokens: Float[Tensor, "batch tokens dim"], norm: nn.Module | None) -> Tensor:
        """Each head's features normalised by themselves; unchanged without a norm."""
        return tokens if norm is None else norm(self._parted(tokens)).flatten(2)

    def split(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch heads tokens head_dim"]:
        """Each head's share of the features; a single share is used by all heads."""
        parted = self._parted(tokens).transpose(1, 2)
        return parted.expand(-1, self.heads, -1, -1) if parted.shape[1] != self.heads else parted

    def _parted(self, tokens: Tensor) -> Tensor:
        # no -1: an empty batch does not determine it
        return tokens.reshape(*tokens.shape[:2], tokens.shape[2] // self.head_dim, self.head_dim)

    def attend(
        self,
        queries: Float[Tensor, "batch tokens dim"],
        keys: Float[Tensor, "batch k _"],
        values: Float[Tensor, "batch k _"],
    ) -> Float[Tensor, "batch tokens _"]:
        """Softmax of queries against keys, scaled by head_dim ** -0.5, over the values; k = tokens if full."""
        dropout = self.dropout if self.training else 0.0
        parts = self.split(self.normed(queries, self.q_norm)), self.split(keys), self.split(values)
        mixed = mixture(*parts, dropout) if self.watcher is None else self.watcher.attend(*parts, dropout)
        joined = mixed.transpose(1, 2).flatten(2)
        return joined if self.proj is None else self.proj(joined)


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
        out_proj: The projection back: biased, unbiased, or none (heads * head_dim is dim then).
        qk_norm: Whether each head's queries and keys are normalised.
        norm_eps: Added to the variance in those norms.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        head_dim: int,
        qkv_bias: bool = True,
        dropout: float = 0.0,
        out_proj: OutProj = "biased",
        qk_norm: bool = False,
        norm_eps: float = 1e-6,
    ) -> None:
        widths = [heads * head_dim] * 3
        super().__init__(dim, heads, head_dim, widths, qkv_bias, dropout, out_proj, qk_norm, norm_eps)

    def forward(
        self, tokens: Float[Tensor, "batch tokens dim"], *, leading: int | None = None
    ) -> Float[Tensor, "batch seen dim"]:
        """Every token, or so many leading ones, as a mixture of all of them."""
        queries, keys, values = self.projected(tokens, leading)
        return self.attend(queries, self.normed(keys, self.k_norm), values)


@final
class LinformerAttention(Attention):
    """Attention over k mixtures of the tokens: (batch, tokens, dim) -> (batch, tokens, dim).

    Wang et al. 2020, 4.1: keys and values are projected along the tokens, E^T K and F^T V, so that work grows with
    tokens * k. The bias of keys and values comes before them, as in the paper. The projections are project_keys (E)
    and project_values (F, only where it is another than E).

    Args:
        tokens: Number of tokens, with their prefix and grid.
        dim: Width of a token.
        heads: Number of heads.
        head_dim: Width of a head.
        k: Number of mixtures, at least 1.
        qkv_bias: Whether queries, keys and values have a bias.
        dropout: Probability of dropping an attention weight in training, in [0, 1).
        out_proj: The projection back: biased, unbiased, or none (heads * head_dim is dim then).
        qk_norm: Whether each head's queries and keys are normalised; keys before they are projected.
        norm_eps: Added to the variance in those norms.
        sharing: What shares a projection: none (one per head), headwise, kv, or layerwise (given to forward).
        projection: linear, avgpool or conv.
        project_prefix: Whether class and register tokens are among the tokens that are projected.
        proj_init: How a projection begins: unit, avgpool or peer.
        one_kv_head: Whether all heads use the same keys and values.
        tie_kv: Whether the values are the keys.
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
        out_proj: OutProj = "biased",
        qk_norm: bool = False,
        norm_eps: float = 1e-6,
        sharing: Sharing = "headwise",
        projection: Projection = "linear",
        project_prefix: bool = True,
        proj_init: ProjInit = "unit",
        one_kv_head: bool = False,
        tie_kv: bool = False,
    ) -> None:
        inner = heads * head_dim
        width = head_dim if one_kv_head else inner
        widths = [inner, width] if tie_kv else [inner, width, width]
        super().__init__(dim, heads, head_dim, widths, qkv_bias, dropout, out_proj, qk_norm, norm_eps)
        self.mixer = Mixer(tokens, k, projection, project_prefix)
        per_head = width // head_dim if sharing == "none" else None
        own, two = sharing != "layerwise", sharing in ("none", "headwise") and not tie_kv
        self.project_keys = self.mixer.weight(per_head, proj_init) if own else None
        self.project_values = self.mixer.weight(per_head, proj_init) if two else None
        # (E^T X) W is E^T (X W) unless something between depends on the head or is nonlinear; the cheaper one is used
        linears, projections = len(widths) - 1, 2 if self.project_values is not None else 1
        late = linears * width * (tokens * dim + self.mixer.cost())
        early = dim * (projections * self.mixer.cost() + linears * k * width)
        self.early = early < late and not qk_norm and (sharing != "none" or projection == "avgpool")

    def forward(
        self, tokens: Float[Tensor, "batch tokens dim"], shared: Tensor | None = None, *, leading: int | None = None
    ) -> Float[Tensor, "batch seen dim"]:
        """Every token, or so many leading ones, as a mixture of k mixtures.

        The mixtures are made by a projection of its own, or by one that is shared by all layers.
        """
        projections = (self.project_keys if shared is None else shared, self.project_values)
        if self.watcher is not None:
            self.watcher.mixed(self.mixer, projections[0] if projections[1] is None else projections[1], tokens)
        return self.attend(*(self._early if self.early else self._late)(tokens, *projections, leading))

    def _late(
        self, tokens: Tensor, first: Tensor | None, second: Tensor | None, leading: int | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        queries, keys, *values = self.projected(tokens, leading)
        keys = self.normed(keys, self.k_norm)
        mixed = self.mixer(first, keys)
        if not values:
            return queries, mixed, mixed
        return queries, mixed, self.mixer(first if second is None else second, values[0])

    def _early(
        self, tokens: Tensor, first: Tensor | None, second: Tensor | None, leading: int | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        device = tokens.device.type
        # it may not be asked for meta tensors, and to ask whether it may breaks the graph in torch 2.10
        autocast = device != "meta" and torch.is_autocast_enabled(device)
        if autocast and tokens.dtype == torch.float32:
            # three products use them: cast by autocast, each would keep a copy of its own
            tokens = tokens.to(torch.get_autocast_dtype(device))
        inner = self.widths[0]
        weight, bias = self.qkv.weight, self.qkv.bias
        queries = self.part(tokens if leading is None else tokens[:, :leading], slice(inner))
        parts = (
            [slice(inner, None)] if second is None else [slice(inner, -self.widths[1]), slice(-self.widths[1], None)]
        )
        mixed: list[Tensor] = []
        for part, projection in zip(parts, (first, second), strict=False):
            features = dense(self.mixer(projection, tokens), weight[part])
            if bias is not None:
                # a bias is added to every token, so a mixture holds as much of it as its weights sum to
                features = features + self.mixer(projection, tokens.new_ones(1, tokens.shape[1], 1)) * bias[part]
            mixed.extend(torch.split(features, self.widths[1], dim=2))
        return queries, mixed[0], mixed[-1]
