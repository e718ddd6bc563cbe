"""ViT: patches -> tokens -> backend -> pooled -> logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vitcli.errors import ConfigError
from vitcli.machine.malloc import keep_freed_blocks
from vitcli.net.backend import Backend, class_path
from vitcli.net.init import linear, table
from vitcli.net.limits import above_zero, count_or_size, one_of, share
from vitcli.net.patches import PatchEmbed
from vitcli.net.pool import AttentionPool, PoolScore
from vitcli.net.positions import Positions, sincos
from vitcli.net.stem import ConvStem, Stem
from vitcli.net.tokens import Tokens
from vitcli.net.transformer.linformer import Linformer
from vitcli.net.transformer.stack import Stack
from vitcli.net.transformer.vanilla import VanillaTransformer

Pool = Literal["cls", "mean", "mean_patches", "attention", "cls_mean"]
FinalNorm = Literal["before_pool", "after_pool", "none"]


# names of the parameters that make logits of what was pooled
HEAD = ("head.", "pre_logits.")


@final
class ViT(nn.Module):
    """Vision Transformer, normalised images to logits: (batch, channels, height, width) -> (batch, classes).

    Dosovitskiy et al. 2021, 3.1: patches, a class token before them, learned positions added to all of them, the
    backend, a norm, a pool, a dense head. With VanillaTransformer the numbers are those of timm's VisionTransformer.
    Positions, class token and head begin at a normal of 0.02, as in DeiT and timm.

    Args:
        image_size: Side of the images, or height and width, in pixels; divisible by patch_size.
        patch_size: Side of a patch, or height and width, in pixels.
        channels: Colour channels of the images, at least 1.
        dim: Width of a token, at least 1.
        pool: What the head sees: cls (the class token), mean (of all tokens), mean_patches (without class and register
            tokens), attention (a mean of all tokens, weighted by their answer to a learned query), cls_mean (the class
            token, and behind it the mean of the patches).
        dropout: Probability of dropping an embedded feature in training, in [0, 1); layers have their own.
        norm_eps: Added to the variance in the net's own norms; 1e-6 in timm and torchvision, 1e-5 in vit-pytorch.
        backend: The transformer between tokens and pool: VanillaTransformer, Linformer, or a Backend of your own.
        classes: Number of logits, at least 1.
        class_token: Whether a learned class token leads the tokens; vit-pytorch's mean-pooled nets have none.
        registers: Number of learned register tokens after the class token, as in DINOv2 and timm's reg_tokens.
        positions: Position embeddings: learned (a table for all tokens), learned_patches (for patches
            only; timm's no_embed_class), sincos (fixed, for patches only; vit-pytorch's SimpleViT), none.
        patch_bias: Whether the patch projection has a bias; timm's CLIP nets have none.
        patch_norm: Whether patches are normalised before and after their projection, as in vit-pytorch.
        pre_norm: Whether tokens are normalised before the backend, as in timm's CLIP nets.
        final_norm: Where the last norm stands: before_pool, after_pool (timm's fc_norm; linformer with vit-pytorch), or
            none (for a backend that ends with one).
        pool_score: How attention pooling scores a token: dot (product with the query) or additive (Bahdanau).
        pre_logits: Width of a dense layer with tanh before the head, as in torchvision and the paper's pretraining;
            null: none.
        head_dropout: Probability of dropping a pooled feature in training, in [0, 1).
        head_layers: How many of the last layers the head sees, each normed and pooled by itself, one behind the other,
            as in the linear probes of DINO (Caron et al. 2021, appendix).
        stem: How images become tokens: patches (one product of each, as in the paper), or conv (convolutions, which
            learn far more from few images; Xiao et al. 2021), as many tokens on the same grid.

    Raises:
        ConfigError: A size below 1, an image that is not a whole number of patches, a probability outside [0, 1),
            a pool without its token, more layers than there are, patches that convolutions cannot make, or a backend
            that is no Backend.
    """

    def __init__(
        self,
        image_size: int | tuple[int, int] = 224,
        patch_size: int | tuple[int, int] = 16,
        channels: int = 3,
        dim: int = 192,
        pool: Pool = "cls",
        dropout: float = 0.0,
        norm_eps: float = 1e-6,
        backend: Callable[[int, int], Backend] = VanillaTransformer,
        classes: int = 1000,
        class_token: bool = True,
        registers: int = 0,
        positions: Positions = "learned",
        patch_bias: bool = True,
        patch_norm: bool = False,
        pre_norm: bool = False,
        final_norm: FinalNorm = "before_pool",
        pool_score: PoolScore = "dot",
        pre_logits: int | None = None,
        head_dropout: float = 0.0,
        head_layers: int = 1,
        stem: Stem = "patches",
    ) -> None:
        super().__init__()
        keep_freed_blocks()
        one_of("model.net.pool", pool, Pool)
        one_of("model.net.positions", positions, Positions)
        one_of("model.net.final_norm", final_norm, FinalNorm)
        one_of("model.net.pool_score", pool_score, PoolScore)
        one_of("model.net.stem", stem, Stem)
        if pool in ("cls", "cls_mean") and not class_token:
            raise ConfigError(f"model.net.pool {pool}: model.net.class_token is false; choose mean")
        above_zero("model.net.norm_eps", norm_eps)
        if stem == "conv" and patch_norm:
            raise ConfigError("model.net.patch_norm true: model.net.stem conv has norms of its own; leave it out")
        self.patches: PatchEmbed | ConvStem
        if stem == "conv":
            self.patches = ConvStem(image_size, patch_size, channels, dim, patch_bias, norm_eps)
        else:
            self.patches = PatchEmbed(image_size, patch_size, channels, dim, patch_bias, patch_norm, norm_eps)
        self.stem = stem
        self.patch_norm = patch_norm
        self.image_size = self.patches.image_size
        self.patch_size = self.patches.patch_size
        self.channels = channels
        self.dim = dim
        self.pool = pool
        self.dropout = share("model.net.dropout", dropout)
        self.norm_eps = norm_eps
        self.classes = count_or_size("model.net.classes", classes)
        if registers < 0:
            raise ConfigError(f"model.net.registers {registers}: must be at least 0")
        self.registers = registers
        self.positions = positions
        self.final_norm = final_norm
        self.pool_score = pool_score
        self.head_dropout = share("model.net.head_dropout", head_dropout)
        self.class_token = table(1, 1, dim) if class_token else None
        self.register_tokens = table(1, registers, dim) if registers else None
        self.pos_embed: Tensor | None
        if positions in ("sincos", "none"):
            fixed = sincos(self.grid, dim) if positions == "sincos" else None
            self.register_buffer("pos_embed", fixed, persistent=False)
        else:
            self.pos_embed = table(1, self.tokens if positions == "learned" else self.tokens - self.prefix, dim)
        self.pre_norm = nn.LayerNorm(dim, eps=norm_eps) if pre_norm else None
        self.backend = backend(self.tokens, dim)
        self._probe()
        self.norm = nn.LayerNorm(dim, eps=norm_eps) if final_norm != "none" else None
        self.attention_pool = AttentionPool(dim, pool_score) if pool == "attention" else None
        self.head_layers = self._checked_layers(head_layers)
        width = self.pooled_width if pre_logits is None else count_or_size("model.net.pre_logits", pre_logits)
        self.pre_logits = linear(self.pooled_width, width) if pre_logits is not None else None
        self.head = linear(width, classes)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return self.patches.grid

    @property
    def prefix(self) -> int:
        """Number of tokens before the patches: the class token and the registers."""
        return int(self.class_token is not None) + self.registers

    @property
    def tokens(self) -> Tokens:
        """Number of tokens: the prefix and the patches."""
        return Tokens(self.prefix, self.grid)

    @property
    def pooled_width(self) -> int:
        """Number of pooled features."""
        return self.dim * self.head_layers * (2 if self.pool == "cls_mean" else 1)

    def embed(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch tokens dim"]:
        """Class token, registers and patches, with their position embeddings."""
        tokens: Tensor = self.patches(images)
        lead = [
            part.expand(tokens.shape[0], -1, -1)
            for part in (self.class_token, self.register_tokens)
            if part is not None
        ]
        if self.pos_embed is not None and self.positions != "learned":
            tokens = tokens + self.pos_embed
        if lead:
            tokens = torch.cat([*lead, tokens], dim=1)
        if self.pos_embed is not None and self.positions == "learned":
            tokens = tokens + self.pos_embed
        tokens = F.dropout(tokens, self.dropout, self.training)
        return tokens if self.pre_norm is None else self.pre_norm(tokens)

    def features(
        self, images: Float[Tensor, "batch channels height width"], leading: int | None = None
    ) -> Float[Tensor, "batch seen layers_dim"]:
        """All tokens after the backend, and after the last norm where that comes before the pool; prefix first.

        Of several layers that the head sees, each token is what it was after each of them, one behind the other.

        Args:
            images: Normalised pixels.
            leading: How many of the first tokens are wanted; null: all.
        """
        tokens: Tensor = self.embed(images)
        own = isinstance(self.backend, Stack)
        tokens = self.backend(tokens, leading, self.head_layers) if own else self.backend(tokens)[:, :leading]
        return self._normed(tokens) if self.final_norm == "before_pool" else tokens

    def _normed(self, values: Float[Tensor, "*batch layers_dim"]) -> Float[Tensor, "*batch layers_dim"]:
        """Each layer's features normed by themselves."""
        if self.norm is None:
            return values
        if values.shape[-1] == self.dim:
            normed: Tensor = self.norm(values)
            return normed
        by_layer: Tensor = self.norm(values.reshape(*values.shape[:-1], -1, self.dim))
        return by_layer.flatten(-2)

    def pooled(self, features: Float[Tensor, "batch tokens layers_dim"]) -> Float[Tensor, "batch pooled_width"]:
        """What the head sees of the features."""
        if self.attention_pool is not None:
            pooled: Tensor = self.attention_pool(features)
        elif self.pool == "cls":
            pooled = features[:, 0]
        elif self.pool == "cls_mean":
            pooled = torch.cat([features[:, 0], features[:, self.prefix :].mean(dim=1)], dim=1)
        else:
            pooled = features[:, self.prefix if self.pool == "mean_patches" else 0 :].mean(dim=1)
        return self._normed(pooled) if self.final_norm == "after_pool" else pooled

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Logits."""
        return self.logits(self.pooled(self.features(images, 1 if self.pool == "cls" else None)))

    def logits(self, pooled: Float[Tensor, "batch pooled_width"]) -> Float[Tensor, "batch classes"]:
        """What the head makes of the pooled features."""
        if self.pre_logits is not None:
            pooled = self.pre_logits(pooled).tanh()
        logits: Tensor = self.head(F.dropout(pooled, self.head_dropout, self.training))
        return logits

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments as plain values, from which ``build`` makes the same net."""
        return {
            "image_size": list(self.image_size),
            "patch_size": list(self.patch_size),
            "channels": self.channels,
            "dim": self.dim,
            "pool": self.pool,
            "dropout": self.dropout,
            "norm_eps": self.norm_eps,
            "backend": {"class_path": class_path(type(self.backend)), "init_args": self.backend.settings()},
            "classes": self.classes,
            "class_token": self.class_token is not None,
            "registers": self.registers,
            "positions": self.positions,
            "patch_bias": self.patches.proj.bias is not None,
            "patch_norm": self.patch_norm,
            "pre_norm": self.pre_norm is not None,
            "final_norm": self.final_norm,
            "pool_score": self.pool_score,
            "pre_logits": None if self.pre_logits is None else self.pre_logits.out_features,
            "head_dropout": self.head_dropout,
            "head_layers": self.head_layers,
            "stem": self.stem,
        }

    def _checked_layers(self, count: int) -> int:
        key = f"model.net.head_layers {count}"
        if count_or_size("model.net.head_layers", count) == 1:
            return 1
        if not isinstance(self.backend, Stack):
            raise ConfigError(f"{key}: {type(self.backend).__name__} gives its last layer alone; leave it at 1")
        if count > self.backend.depth:
            raise ConfigError(f"{key}: model.net.backend.depth is {self.backend.depth}; give no more")
        if self.pool == "attention":
            raise ConfigError(f"{key}: attention pooling has one query, for one layer; choose cls, mean or cls_mean")
        return count

    def _probe(self) -> None:
        backend = self.backend
        name = type(backend).__name__
        if not isinstance(backend, Backend):
            raise ConfigError(f"model.net.backend {name}: is no Backend; derive it from vitcli.net.Backend")
        weight = self.patches.proj.weight
        if isinstance(backend, VanillaTransformer | Linformer) or weight.is_meta:
            return
        shape = (1, int(self.tokens), self.dim)
        # evenly spaced, not drawn: a probe must not change the random state of the run
        tokens = torch.linspace(-1, 1, self.tokens * self.dim).to(weight).reshape(shape)
        training = backend.training
        try:
            with torch.no_grad():
                output = backend.eval()(tokens)
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise ConfigError(f"model.net.backend {name}: failed on tokens of shape {shape}: {reason}") from error
        finally:
            backend.train(training)
        if not isinstance(output, Tensor) or output.shape != shape:
            got = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else f"a {type(output).__name__}"
            raise ConfigError(f"model.net.backend {name}: returned {got} for tokens of shape {shape}; both must agree")
        if output.dtype != tokens.dtype:
            raise ConfigError(f"model.net.backend {name}: returned {output.dtype} for {tokens.dtype}; both must agree")
        if not output.isfinite().all():
            raise ConfigError(f"model.net.backend {name}: returned infinite or undefined numbers for plain tokens")
