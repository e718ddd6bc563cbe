"""Backend (abstract); VanillaTransformer, Linformer (final): the switchable transformer inside the ViT."""

from __future__ import annotations

import inspect
import sys
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from vitcli.errors import ConfigError
from vitcli.net.attention import LinformerAttention, OutProj, SelfAttention, Sharing
from vitcli.net.block import Activation, Block
from vitcli.net.limits import above_zero, at_least_one, divisors_around, one_of, share
from vitcli.net.projection import Mixer, Projection, ProjInit

LATE = ("tokens", "dim")


class Backend(nn.Module, ABC):
    """The transformer inside the ViT: (batch, tokens, dim) -> (batch, tokens, dim).

    It is built late, as ``backend(tokens, dim)``, so a config states only its own choices; ``tokens`` is a number
    that also knows the prefix and the grid (``Tokens``). A subclass takes ``tokens`` and ``dim`` first, gives every other argument a default, and stores each of those as an attribute of
    the same name. It has no norm at its end; the ViT has one.
    """

    @abstractmethod
    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """Tokens that have seen each other."""

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments but tokens and dim, as plain values; what a checkpoint holds.

        Raises:
            TypeError: A subclass does not store an argument as an attribute of the same name, or it is not plain.
        """
        name = type(self).__name__
        settings = {}
        for argument in arguments(type(self)):
            if argument not in vars(self):
                raise TypeError(
                    f"{name} does not store its argument {argument!r}; set self.{argument} in its __init__, "
                    "so that a checkpoint can rebuild it"
                )
            value = vars(self)[argument]
            value = list(value) if isinstance(value, tuple) else value
            if not is_plain(value):
                raise TypeError(
                    f"{name}.{argument} is a {type(value).__name__}; a checkpoint holds numbers, words and lists"
                )
            settings[argument] = value
        return settings


class Stack(Backend):
    """Blocks one after another, whatever their attention: (batch, tokens, dim) -> (batch, tokens, dim).

    Args:
        dim: Width of a token.
        depth: Number of layers, at least 1.
        heads: Number of attention heads, at least 1; must divide dim unless head_dim is given.
        head_dim: Width of a head, at least 1; null: dim / heads.
        mlp_ratio: Hidden width of the Mlp as a multiple of dim, above 0.
        qkv_bias: Whether queries, keys and values have a bias; vit-pytorch and linformer have none.
        dropout: Probability of dropping a feature behind a dense layer in training, in [0, 1).
        attention_dropout: Probability of dropping an attention weight in training, in [0, 1).
        norm_eps: Added to the variance in the norms; 1e-6 in timm and torchvision, 1e-5 in vit-pytorch.
        out_proj: The dense layer behind the heads: biased, unbiased (vit-pytorch's SimpleViT) or none (vit-pytorch's
            ViT with one head as wide as dim).
        qk_norm: Whether each head's queries and keys are normalised, as in timm's qk_norm nets.
        activation: What bends the Mlp: gelu (exact), gelu_tanh (timm's SigLIP nets) or quick_gelu (OpenAI's CLIP).
        layer_scale: Where the learned scale of each branch begins, e.g. 1e-5 as in DeiT III; null: no scale.
        stochastic_depth: Probability of leaving out a branch of the last layer in training, falling evenly to 0 at
            the first, for each image by itself, in [0, 1); timm's drop_path_rate.
        activation_checkpointing: Whether the backward pass computes each layer again instead of keeping it: far less
            memory, about a third more work.
    """

    def __init__(
        self,
        dim: int,
        depth: int,
        heads: int,
        head_dim: int | None,
        mlp_ratio: float,
        qkv_bias: bool,
        dropout: float,
        attention_dropout: float,
        norm_eps: float,
        out_proj: OutProj,
        qk_norm: bool,
        activation: Activation,
        layer_scale: float | None,
        stochastic_depth: float,
        activation_checkpointing: bool,
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
        """One block for each mapping, which holds what only its attention is told."""
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

    def through(
        self, blocks: nn.ModuleList, tokens: Float[Tensor, "batch tokens dim"], *context: Tensor
    ) -> Float[Tensor, "batch tokens dim"]:
        """Through all blocks; the context is handed on to each attention."""
        again = self.activation_checkpointing and self.training and torch.is_grad_enabled()
        for block in blocks:
            tokens = checkpoint(block, tokens, *context, use_reentrant=False) if again else block(tokens, *context)
        return tokens


@final
class VanillaTransformer(Stack):
    """Full attention, as in the Vision Transformer: (batch, tokens, dim) -> (batch, tokens, dim).

    Dosovitskiy et al. 2021, 3.1; the numbers are those of timm's VisionTransformer.blocks.

    Args:
        tokens: Number of tokens; known late, given by the net.
        dim: Width of a token; known late, given by the net.
        depth: Number of layers, at least 1.
        heads: Number of attention heads, at least 1; must divide dim unless head_dim is given.
        head_dim: Width of a head, at least 1; null: dim / heads.
        mlp_ratio: Hidden width of the Mlp as a multiple of dim, above 0.
        qkv_bias: Whether queries, keys and values have a bias; vit-pytorch and linformer have none.
        dropout: Probability of dropping a feature behind a dense layer in training, in [0, 1).
        attention_dropout: Probability of dropping an attention weight in training, in [0, 1).
        norm_eps: Added to the variance in the norms; 1e-6 in timm and torchvision, 1e-5 in vit-pytorch.
        out_proj: The dense layer behind the heads: biased, unbiased (vit-pytorch's SimpleViT) or none (vit-pytorch's
            ViT with one head as wide as dim).
        qk_norm: Whether each head's queries and keys are normalised, as in timm's qk_norm nets.
        activation: What bends the Mlp: gelu (exact), gelu_tanh (timm's SigLIP nets) or quick_gelu (OpenAI's CLIP).
        layer_scale: Where the learned scale of each branch begins, e.g. 1e-5 as in DeiT III; null: no scale.
        stochastic_depth: Probability of leaving out a branch of the last layer in training, falling evenly to 0 at
            the first, for each image by itself, in [0, 1); timm's drop_path_rate.
        activation_checkpointing: Whether the backward pass computes each layer again instead of keeping it: far less
            memory, about a third more work.

    Raises:
        ConfigError: A size below 1, heads that do not divide dim, a probability outside [0, 1).
    """

    def __init__(
        self,
        tokens: int,
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
        super().__init__(
            dim,
            depth,
            heads,
            head_dim,
            mlp_ratio,
            qkv_bias,
            dropout,
            attention_dropout,
            norm_eps,
            out_proj,
            qk_norm,
            activation,
            layer_scale,
            stochastic_depth,
            activation_checkpointing,
        )
        self.blocks = self.stacked(SelfAttention, [{}] * depth)

    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """Through all blocks."""
        return self.through(self.blocks, tokens)


@final
class Linformer(Stack):
    """Attention over k mixtures of the tokens: (batch, tokens, dim) -> (batch, tokens, dim).

    Wang et al. 2020; without qkv_bias and with norm_eps 1e-5 the numbers are those of the linformer package. It
    saves work only where k is below half the tokens, and says so.

    Args:
        tokens: Number of tokens; known late, given by the net.
        dim: Width of a token; known late, given by the net.
        depth: Number of layers, at least 1.
        heads: Number of attention heads, at least 1; must divide dim unless head_dim is given.
        head_dim: Width of a head, at least 1; null: dim / heads.
        mlp_ratio: Hidden width of the Mlp as a multiple of dim, above 0.
        qkv_bias: Whether queries, keys and values have a bias; vit-pytorch and linformer have none.
        dropout: Probability of dropping a feature behind a dense layer in training, in [0, 1).
        attention_dropout: Probability of dropping an attention weight in training, in [0, 1).
        norm_eps: Added to the variance in the norms; 1e-6 in timm and torchvision, 1e-5 in vit-pytorch.
        out_proj: The dense layer behind the heads: biased, unbiased (vit-pytorch's SimpleViT) or none (vit-pytorch's
            ViT with one head as wide as dim).
        qk_norm: Whether each head's queries and keys are normalised, as in timm's qk_norm nets.
        activation: What bends the Mlp: gelu (exact), gelu_tanh (timm's SigLIP nets) or quick_gelu (OpenAI's CLIP).
        layer_scale: Where the learned scale of each branch begins, e.g. 1e-5 as in DeiT III; null: no scale.
        stochastic_depth: Probability of leaving out a branch of the last layer in training, falling evenly to 0 at
            the first, for each image by itself, in [0, 1); timm's drop_path_rate.
        activation_checkpointing: Whether the backward pass computes each layer again instead of keeping it: far less
            memory, about a third more work.
        k: Number of mixtures that keys and values are projected to, at least 1, or one number for each layer; pays
            below half the tokens.
        sharing: What shares a projection (Wang et al. 2020, 4.1): none (each head has its own), headwise (the heads
            of a layer; the linformer package), kv (its keys and values too), layerwise (all layers).
        projection: What makes the mixtures: linear (learned, any), conv (one learned kernel for all cells of the
            grid), avgpool (the mean of each cell; nothing to learn, so sharing says nothing).
        project_prefix: Whether class and register tokens are projected too (the linformer package) or kept beside the
            k mixtures; avgpool and conv keep them, and then count them among the k or not.
        proj_init: How a projection begins: unit (a projected key is as large as a key), avgpool (the mean of each
            cell, with which pretrained full attention may begin), peer (uniform to 1 / sqrt(k), the linformer
            package; projected keys grow with the tokens).
        one_kv_head: Whether all heads use the same keys and values, as in the linformer package's one_kv_head.
        tie_kv: Whether the values are the keys, as in the linformer package's share_kv.

    Raises:
        ConfigError: A size below 1, heads that do not divide dim, a probability outside [0, 1), not one k for each
            layer, a layerwise projection with several k, or a grid without k cells.
    """

    def __init__(
        self,
        tokens: int,
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
        k: int | tuple[int, ...] = 64,
        sharing: Sharing = "headwise",
        projection: Projection = "linear",
        project_prefix: bool = True,
        proj_init: ProjInit = "unit",
        one_kv_head: bool = False,
        tie_kv: bool = False,
    ) -> None:
        super().__init__(
            dim,
            depth,
            heads,
            head_dim,
            mlp_ratio,
            qkv_bias,
            dropout,
            attention_dropout,
            norm_eps,
            out_proj,
            qk_norm,
            activation,
            layer_scale,
            stochastic_depth,
            activation_checkpointing,
        )
        self.k = k
        self.sharing = sharing
        self.projection = projection
        self.project_prefix = project_prefix
        self.proj_init = proj_init
        self.one_kv_head = one_kv_head
        self.tie_kv = tie_kv
        each = _checked_k(self)
        if 2 * max(each) >= tokens and projection == "linear":
            # full attention takes 2 n^2 d products a layer, this one 4 n k d
            warnings.warn(
                f"model.net.backend.k {k}: Linformer with k = {max(each)} for {int(tokens)} tokens costs more than it "
                f"saves; it pays below k = {tokens / 2:g}, or use VanillaTransformer",
                stacklevel=2,
            )
        # owned here and handed on: tensors under two names cannot be saved as safetensors
        layerwise = sharing == "layerwise"
        self.shared_projection = (
            Mixer(tokens, each[0], projection, project_prefix).weight(None, proj_init) if layerwise else None
        )
        own = {
            "tokens": tokens, "sharing": sharing, "projection": projection, "project_prefix": project_prefix,
            "proj_init": proj_init, "one_kv_head": one_kv_head, "tie_kv": tie_kv,
        }  # fmt: skip
        self.blocks = self.stacked(LinformerAttention, [{**own, "k": number} for number in each])

    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """Through all blocks."""
        context = () if self.shared_projection is None else (self.shared_projection,)
        return self.through(self.blocks, tokens, *context)


def arguments(kind: type[Backend]) -> dict[str, inspect.Parameter]:
    """A backend's own constructor arguments: all but self, tokens and dim."""
    parameters = dict(inspect.signature(kind.__init__).parameters)
    return {name: parameter for name, parameter in list(parameters.items())[1:] if name not in LATE}


def class_path(kind: type) -> str:
    """Where a class is imported from, by the shortest road: vitcli.net.Linformer, not vitcli.net.backend.Linformer."""
    parts = kind.__module__.split(".")
    for length in range(1, len(parts)):
        module = ".".join(parts[:length])
        if getattr(sys.modules.get(module), kind.__qualname__, None) is kind:
            return f"{module}.{kind.__qualname__}"
    return f"{kind.__module__}.{kind.__qualname__}"


def is_plain(value: Any) -> bool:
    """Whether a value is a number, a word, none, or a list of such."""
    if isinstance(value, list):
        return all(is_plain(part) for part in value)
    return value is None or type(value) in (bool, int, float, str)


def _checked_head_dim(backend: Stack, dim: int) -> int:
    key = "model.net.backend"
    at_least_one(f"{key}.depth", backend.depth)
    at_least_one(f"{key}.heads", backend.heads)
    share(f"{key}.dropout", backend.dropout)
    share(f"{key}.attention_dropout", backend.attention_dropout)
    share(f"{key}.stochastic_depth", backend.stochastic_depth)
    above_zero(f"{key}.norm_eps", backend.norm_eps)
    one_of(f"{key}.out_proj", backend.out_proj, OutProj)
    one_of(f"{key}.activation", backend.activation, Activation)
    if above_zero(f"{key}.mlp_ratio", backend.mlp_ratio) * dim < 1:
        raise ConfigError(f"{key}.mlp_ratio {backend.mlp_ratio}: leaves no hidden feature at model.net.dim {dim}")
    if backend.head_dim is not None:
        width = at_least_one(f"{key}.head_dim", backend.head_dim)
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


def _checked_k(backend: Linformer) -> list[int]:
    key = "model.net.backend"
    one_of(f"{key}.sharing", backend.sharing, Sharing)
    one_of(f"{key}.projection", backend.projection, Projection)
    one_of(f"{key}.proj_init", backend.proj_init, ProjInit)
    if isinstance(backend.k, int):
        return [at_least_one(f"{key}.k", backend.k)] * backend.depth
    each = [at_least_one(f"{key}.k", number) for number in backend.k]
    if len(each) != backend.depth:
        raise ConfigError(
            f"{key}.k {each}: {len(each)} numbers for {key}.depth {backend.depth}; give one for each layer"
        )
    if backend.sharing == "layerwise" and len(set(each)) > 1:
        raise ConfigError(f"{key}.k {each}: one projection for all layers has one k; set {key}.sharing headwise")
    return each
