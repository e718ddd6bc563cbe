"""VanillaTransformer, Linformer (final): the two transformers of our own that may stand inside the ViT."""

from __future__ import annotations

import warnings
from typing import final

from jaxtyping import Float
from torch import Tensor

from vitcli.errors import ConfigError
from vitcli.net.limits import at_least_one, one_of
from vitcli.net.transformer.attention import LinformerAttention, OutProj, SelfAttention, Sharing
from vitcli.net.transformer.block import Activation
from vitcli.net.transformer.projection import Mixer, Projection, ProjInit
from vitcli.net.transformer.stack import Stack


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

    def forward(
        self, tokens: Float[Tensor, "batch tokens dim"], leading: int | None = None
    ) -> Float[Tensor, "batch seen dim"]:
        """Through all blocks."""
        return self.through(self.blocks, tokens, leading=leading)


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

    def forward(
        self, tokens: Float[Tensor, "batch tokens dim"], leading: int | None = None
    ) -> Float[Tensor, "batch seen dim"]:
        """Through all blocks."""
        context = () if self.shared_projection is None else (self.shared_projection,)
        return self.through(self.blocks, tokens, *context, leading=leading)


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
