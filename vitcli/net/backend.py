"""Backend (abstract); VanillaTransformer, Linformer (final): the switchable transformer inside the ViT."""

from __future__ import annotations

import inspect
import sys
import warnings
from abc import ABC, abstractmethod
from typing import Any, final

from jaxtyping import Float
from torch import Tensor, nn

from vitcli.errors import ConfigError
from vitcli.net.attention import LinformerAttention, SelfAttention
from vitcli.net.block import Block
from vitcli.net.limits import above_zero, at_least_one, divisors_around, share

LATE = ("tokens", "dim")


class Backend(nn.Module, ABC):
    """The transformer inside the ViT: (batch, tokens, dim) -> (batch, tokens, dim).

    It is built late, as ``backend(tokens, dim)``, so a config states only its own choices. A subclass takes
    ``tokens`` and ``dim`` first, gives every other argument a default, and stores each of those as an attribute of
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


@final
class VanillaTransformer(Backend):
    """Full attention, as in the Vision Transformer: (batch, tokens, dim) -> (batch, tokens, dim).

    Dosovitskiy et al. 2021, 3.1; the numbers are those of timm's VisionTransformer.blocks.

    Args:
        tokens: Number of tokens; known late, given by the net.
        dim: Width of a token; known late, given by the net.
        depth: Number of layers, at least 1.
        heads: Number of attention heads, at least 1; must divide dim unless head_dim is given.
        head_dim: Width of a head, at least 1; null: dim / heads.
        mlp_ratio: Hidden width of the Mlp as a multiple of dim, above 0.
        qkv_bias: Whether queries, keys and values have a bias.
        dropout: Probability of dropping a feature behind a dense layer in training, in [0, 1).
        attention_dropout: Probability of dropping an attention weight in training, in [0, 1).
        norm_eps: Added to the variance in the norms; 1e-6 in timm and torchvision, 1e-5 in vit-pytorch.

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
        width = _checked_head_dim(self, dim)
        self.blocks = nn.ModuleList(
            Block(
                dim,
                SelfAttention(dim, heads, width, qkv_bias, attention_dropout),
                mlp_ratio,
                dropout,
                norm_eps,
            )
            for _ in range(depth)
        )

    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """Through all blocks."""
        for block in self.blocks:
            tokens = block(tokens)
        return tokens


@final
class Linformer(Backend):
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
        qkv_bias: Whether queries, keys and values have a bias.
        dropout: Probability of dropping a feature behind a dense layer in training, in [0, 1).
        attention_dropout: Probability of dropping an attention weight in training, in [0, 1).
        norm_eps: Added to the variance in the norms; 1e-6 in timm and torchvision, 1e-5 in vit-pytorch.
        k: Number of mixtures that keys and values are projected to, at least 1; pays below half the tokens.

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
        k: int = 64,
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
        self.k = at_least_one("model.net.backend.k", k)
        width = _checked_head_dim(self, dim)
        if 2 * k >= tokens:
            # full attention takes 2 n^2 d products a layer, this one 4 n k d
            warnings.warn(
                f"model.net.backend.k {k}: Linformer with k = {k} for {tokens} tokens costs more than it saves; "
                f"it pays below k = {tokens / 2:g}, or use VanillaTransformer",
                stacklevel=2,
            )
        self.blocks = nn.ModuleList(
            Block(
                dim,
                LinformerAttention(tokens, dim, heads, width, k, qkv_bias, attention_dropout),
                mlp_ratio,
                dropout,
                norm_eps,
            )
            for _ in range(depth)
        )

    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """Through all blocks."""
        for block in self.blocks:
            tokens = block(tokens)
        return tokens


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


def _checked_head_dim(backend: VanillaTransformer | Linformer, dim: int) -> int:
    key = "model.net.backend"
    at_least_one(f"{key}.depth", backend.depth)
    at_least_one(f"{key}.heads", backend.heads)
    share(f"{key}.dropout", backend.dropout)
    share(f"{key}.attention_dropout", backend.attention_dropout)
    above_zero(f"{key}.norm_eps", backend.norm_eps)
    if above_zero(f"{key}.mlp_ratio", backend.mlp_ratio) * dim < 1:
        raise ConfigError(f"{key}.mlp_ratio {backend.mlp_ratio}: leaves no hidden feature at model.net.dim {dim}")
    if backend.head_dim is not None:
        return at_least_one(f"{key}.head_dim", backend.head_dim)
    if dim % backend.heads:
        choices = " or ".join(map(str, divisors_around(dim, backend.heads)))
        raise ConfigError(
            f"{key}.heads {backend.heads}: does not divide model.net.dim {dim}; choose {choices}, or set {key}.head_dim"
        )
    return dim // backend.heads
