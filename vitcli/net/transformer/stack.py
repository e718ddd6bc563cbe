"""Stack (abstract): blocks one after another, the base of VanillaTransformer and Linformer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from vitcli.errors import ConfigError
from vitcli.net.backend import Backend
from vitcli.net.limits import MOST, above_zero, count_or_size, divisors_around, one_of, share, zero_or_more
from vitcli.net.transformer.attention import OutProj
from vitcli.net.transformer.block import Activation, Block


class Stack(Backend):
    """Blocks one after another, whatever their attention: (batch, tokens, dim) -> (batch, tokens, dim).

    Args:
        dim: Width of a token.
        depth: Number of layers, at least 1.
        heads: Number of attention heads, at least 1; must divide dim unless head_dim is given.
        head_dim: Width of a head, at least 1; null: dim / heads.
        mlp_ratio: Hidden width of the Mlp as a multiple of dim, above 0.
        qkv_bias: Whether queries, keys and values have a bias; vit-pytorch and linformer have none.
        dropout: Probability of dropping a feature after a dense layer in training, in [0, 1).
        attention_dropout: Probability of dropping an attention weight in training, in [0, 1).
        norm_eps: Added to the variance in the norms; 1e-6 in timm and torchvision, 1e-5 in vit-pytorch.
        out_proj: The dense layer after the heads: biased, unbiased (vit-pytorch's SimpleViT) or none (vit-pytorch's
            ViT with one head as wide as dim).
        qk_norm: Whether each head's queries and keys are normalised, as in timm's qk_norm nets.
        activation: Activation of the Mlp: gelu (exact), gelu_tanh (timm's SigLIP nets) or quick_gelu (OpenAI's CLIP).
        layer_scale: Where the learned scale of each branch begins, e.g. 1e-5 as in DeiT III; null: no scale.
        stochastic_depth: Probability of leaving out a branch of the last layer in training, falling evenly to 0 at
            the first, for each image by itself, in [0, 1); timm's drop_path_rate.
        activation_checkpointing: Whether the backward pass computes each layer again instead of keeping it: far less
            memory, about a third more work.
    """

    def __init__(
        self,
        dim: int,
        depth: int = 12,
        heads: int = 8,
        head_dim: int | None = None,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        norm_eps: float = 1e-6,
        out_proj: OutProj = "biased",
        qk_norm: bool = False,
        activation: Activation = "gelu",
        layer_scale: float | None = None,
        stochastic_depth: float = 0.0,
        activation_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.depth = depth
        self.heads = heads
        self.head_dim = head_dim
        self.mlp_ratio = mlp_ratio
        self.qkv_bias = qkv_bias
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.norm_eps = norm_eps
        self.out_proj = out_proj
        self.qk_norm = qk_norm
        self.activation = activation
        self.layer_scale = layer_scale
        self.stochastic_depth = stochastic_depth
        self.activation_checkpointing = activation_checkpointing
        self.width = _checked_head_dim(self, dim)
        self.dim = dim

    def stacked(self, attention: Callable[..., nn.Module], each: Sequence[Mapping[str, Any]]) -> nn.ModuleList:
        """One block for each mapping, which holds the further arguments of its attention."""
        steps = max(1, self.depth - 1)
        return nn.ModuleList(
            Block(
                self.dim,
                attention(
                    dim=self.dim,
                    heads=self.heads,
                    head_dim=self.width,
                    qkv_bias=self.qkv_bias,
                    dropout=self.attention_dropout,
                    out_proj=self.out_proj,
                    qk_norm=self.qk_norm,
                    norm_eps=self.norm_eps,
                    **own,
                ),
                self.mlp_ratio,
                self.dropout,
                self.norm_eps,
                self.activation,
                self.layer_scale,
                self.stochastic_depth * index / steps,
            )
            for index, own in enumerate(each)
        )

    @abstractmethod
    def forward(
        self, tokens: Float[Tensor, "batch tokens dim"], leading: int | None = None, layers: int = 1
    ) -> Float[Tensor, "batch seen layers_dim"]:
        """Through all blocks.

        Args:
            tokens: The tokens.
            leading: How many of the first tokens are wanted of the last block; null: all. Its queries, its Mlp and
                the gradients of both are then computed for these alone: of a net of 12 layers, that saves a twelfth of
                the work, but for the keys and values, whose result a class token's head would not use.
            layers: Of how many of the last blocks the tokens are wanted, one behind the other.
        """

    def through(
        self,
        blocks: nn.ModuleList,
        tokens: Float[Tensor, "batch tokens dim"],
        *context: Tensor,
        leading: int | None,
        layers: int,
    ) -> Float[Tensor, "batch seen layers_dim"]:
        """Through all blocks; the context is passed to each attention, the leading tokens to the last block."""
        again = self.activation_checkpointing and self.training and torch.is_grad_enabled()
        wanted = []
        for number, block in enumerate(blocks, start=1):
            call = partial(block, leading=leading) if number == len(blocks) else block
            tokens = checkpoint(call, tokens, *context, use_reentrant=False) if again else call(tokens, *context)
            if number > len(blocks) - layers:
                wanted.append(tokens[:, :leading])
        return tokens if layers == 1 else torch.cat(wanted, dim=2)


def _checked_head_dim(backend: Stack, dim: int) -> int:
    key = "model.net.backend"
    count_or_size(f"{key}.depth", backend.depth)
    count_or_size(f"{key}.heads", backend.heads)
    share(f"{key}.dropout", backend.dropout)
    share(f"{key}.attention_dropout", backend.attention_dropout)
    share(f"{key}.stochastic_depth", backend.stochastic_depth)
    above_zero(f"{key}.norm_eps", backend.norm_eps)
    if backend.layer_scale is not None:
        zero_or_more(f"{key}.layer_scale", backend.layer_scale)
    one_of(f"{key}.out_proj", backend.out_proj, OutProj)
    one_of(f"{key}.activation", backend.activation, Activation)
    if above_zero(f"{key}.mlp_ratio", backend.mlp_ratio) * dim < 1:
        raise ConfigError(f"{key}.mlp_ratio {backend.mlp_ratio}: leaves no hidden feature at model.net.dim {dim}")
    if backend.mlp_ratio * dim > MOST:
        raise ConfigError(
            f"{key}.mlp_ratio {backend.mlp_ratio}: absurdly large; at most {MOST:,} hidden features, and model.net.dim "
            f"is {dim}"
        )
    if backend.head_dim is not None:
        width = count_or_size(f"{key}.head_dim", backend.head_dim)
    elif dim % backend.heads:
        choices = " or ".join(map(str, divisors_around(dim, backend.heads)))
        raise ConfigError(
            f"{key}.heads {backend.heads}: does not divide model.net.dim {dim}; choose {choices}, or set {key}.head_dim"
        )
    else:
        width = dim // backend.heads
    if backend.out_proj == "none" and backend.heads * width != dim:
        raise ConfigError(
            f"{key}.out_proj none: {backend.heads} heads of {width} make {backend.heads * width} features, but "
            f"model.net.dim is {dim}; without a projection both must agree"
        )
    return width
