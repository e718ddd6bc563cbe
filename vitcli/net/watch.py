"""watch: the scores, weights and context vectors of each attention, as the net's own forward pass computes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from vitcli.errors import ConfigError
from vitcli.net.pool import AttentionPool
from vitcli.net.transformer.attention import Attention
from vitcli.net.transformer.projection import Mixer

if TYPE_CHECKING:
    from vitcli.net.vit import ViT


@final
class Seen:
    """What one attention has computed of the latest batch, in its three stages; None before its first.

    A query is compared with every key (scores), a softmax makes shares of that (weights), and the shares weigh the
    values (context), one vector a query (Vaswani et al. 2017, 3.2.1). The tensors are those of the forward pass, in its
    dtype and on its device, and part of its graph: gradients reach them. Nothing is computed twice.

    Where the net pools its class token, the last layer asks for that token alone, so that tokens is 1 there. Of
    Linformer, a key is one of k mixtures of the tokens; ``per_token`` says what a query takes of each token.

    All layers of a long sequence are large: of 4,097 tokens, one head's scores and weights take 134 MB. ``then`` is
    called with this as soon as a layer has computed, and may make numbers of it and ``forget`` the tensors.
    """

    def __init__(self) -> None:
        self.then: Callable[[Seen], None] | None = None
        self.scores: Float[Tensor, "batch heads tokens k"] | None = None
        self.weights: Float[Tensor, "batch heads tokens k"] | None = None
        self.context: Float[Tensor, "batch heads tokens head_dim"] | None = None
        self.mixing: Float[Tensor, "heads k all_tokens"] | None = None

    def attend(self, queries: Tensor, keys: Tensor, values: Tensor, dropout: float) -> Tensor:
        """Attention in its stages, each of which is kept.

        Args:
            queries: (batch, heads, tokens, head_dim).
            keys: (batch, heads, k, head_dim).
            values: (batch, heads, k, head_dim).
            dropout: Probability of dropping a weight, in [0, 1).
        """
        self.scores = (queries * queries.shape[3] ** -0.5) @ keys.transpose(2, 3)
        self.weights = self.scores.softmax(dim=3)
        context = self.context = F.dropout(self.weights, dropout) @ values
        if self.then is not None:
            self.then(self)
        return context

    def forget(self) -> None:
        """Keep none of the three stages; only the graph of the forward pass, where there is one, holds them still."""
        self.scores = self.weights = self.context = None

    def mixed(self, mixer: Mixer, weight: Tensor | None, like: Tensor) -> None:
        """Keep what each value is a mixture of.

        Args:
            mixer: How tokens are mixed.
            weight: Its projection of the values; None for average pooling.
            like: A tensor of the dtype and device wanted, whose second size is the number of tokens.
        """
        one_hot = torch.eye(like.shape[1], dtype=like.dtype, device=like.device)[None]
        each = [None] if weight is None else [weight]
        if weight is not None and weight.dim() == 3:
            each = list(weight)
        elif weight is not None and weight.dim() == 4:
            each = list(weight[:, None])
        self.mixing = torch.cat([mixer(one, one_hot) for one in each])

    @property
    def per_token(self) -> Float[Tensor, "batch heads tokens all_tokens"]:
        """What each query takes of each token: the weights, or of Linformer softmax(Q (E K)^T) F (Wang et al. 2020).

        Rows of full attention sum to one; Linformer's need not, nor are all of them above zero.

        Raises:
            RuntimeError: The net has seen no images yet.
        """
        if self.weights is None:
            raise RuntimeError("the net has seen no images yet: call it inside the with block")
        return self.weights if self.mixing is None else self.weights @ self.mixing


@final
class SeenPool:
    """What attention pooling has computed of the latest batch: a score and a share for each token, and their mean.

    None before its first.
    """

    def __init__(self) -> None:
        self.scores: Float[Tensor, "batch tokens"] | None = None
        self.weights: Float[Tensor, "batch tokens"] | None = None
        self.context: Float[Tensor, "batch dim"] | None = None

    def keep(self, scores: Tensor, weights: Tensor, context: Tensor) -> None:
        """Keep the three stages."""
        self.scores, self.weights, self.context = scores, weights, context


@final
@dataclass
class Watched:
    """The attention of every layer, from the first: ``watched[0].weights``.

    Args:
        layers: One for each layer.
        pool: Of attention pooling; None for nets that pool otherwise.
    """

    layers: list[Seen] = field(default_factory=list)
    pool: SeenPool | None = None

    def __getitem__(self, layer: int) -> Seen:
        return self.layers[layer]

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Seen]:
        return iter(self.layers)


@contextmanager
def watch(net: ViT) -> Iterator[Watched]:
    """Keep what each attention computes, inside a with block; outside it costs a comparison with None.

    ``with watch(net) as seen: logits = net(images)``, then ``seen[layer].weights``. A watched attention runs as
    separate operators instead of a fused kernel, so that its numbers agree with the unwatched ones to rounding.

    Args:
        net: The net, which must not be compiled; its backend may hold any number of our attentions.

    Raises:
        ConfigError: The backend has no attention of vitcli's.
    """
    attentions = [module for module in net.backend.modules() if isinstance(module, Attention)]
    if not attentions:
        raise ConfigError(
            f"model.net.backend {type(net.backend).__name__}: holds no attention of vitcli's that could be watched"
        )
    watched = Watched([Seen() for _ in attentions])
    pool = net.attention_pool
    if isinstance(pool, AttentionPool):
        watched.pool = SeenPool()
    try:
        for attention, seen in zip(attentions, watched, strict=True):
            attention.watcher = seen
        if pool is not None:
            pool.watcher = watched.pool
        yield watched
    finally:
        for attention in attentions:
            attention.watcher = None
        if pool is not None:
            pool.watcher = None
