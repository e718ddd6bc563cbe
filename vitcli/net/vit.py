"""ViT: patches -> tokens -> backend -> pooled -> logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, final, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vitcli.errors import ConfigError
from vitcli.net.backend import Backend, Linformer, VanillaTransformer, class_path
from vitcli.net.init import linear, table
from vitcli.net.limits import above_zero, at_least_one, share
from vitcli.net.patches import PatchEmbed

Pool = Literal["cls", "mean", "mean_patches"]


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
        pool: What the head sees: cls (the class token), mean (of all tokens), mean_patches (without class token).
        dropout: Probability of dropping an embedded feature in training, in [0, 1); layers have their own.
        norm_eps: Added to the variance in the last norm; 1e-6 in timm and torchvision, 1e-5 in vit-pytorch.
        backend: The transformer between tokens and pool: VanillaTransformer, Linformer, or a Backend of your own.
        classes: Number of logits, at least 1.

    Raises:
        ConfigError: A size below 1, an image that is not a whole number of patches, a probability outside [0, 1),
            or a backend that is none.
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
    ) -> None:
        super().__init__()
        if pool not in get_args(Pool):
            raise ConfigError(f"model.net.pool {pool!r}: must be one of {', '.join(get_args(Pool))}")
        self.patches = PatchEmbed(image_size, patch_size, channels, dim)
        self.image_size = self.patches.image_size
        self.patch_size = self.patches.patch_size
        self.channels = channels
        self.dim = dim
        self.pool = pool
        self.dropout = share("model.net.dropout", dropout)
        self.norm_eps = above_zero("model.net.norm_eps", norm_eps)
        self.classes = at_least_one("model.net.classes", classes)
        self.class_token = table(1, 1, dim)
        self.pos_embed = table(1, self.tokens, dim)
        self.backend = backend(self.tokens, dim)
        self._probe()
        self.norm = nn.LayerNorm(dim, eps=norm_eps)
        self.head = linear(dim, classes)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return self.patches.grid

    @property
    def tokens(self) -> int:
        """Number of tokens: the patches and the class token."""
        rows, columns = self.grid
        return rows * columns + 1

    def features(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch tokens dim"]:
        """All tokens behind the last norm, the class token first."""
        patches = self.patches(images)
        tokens = torch.cat([self.class_token.expand(patches.shape[0], -1, -1), patches], dim=1) + self.pos_embed
        normed: Tensor = self.norm(self.backend(F.dropout(tokens, self.dropout, self.training)))
        return normed

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Logits."""
        features = self.features(images)
        if self.pool == "cls":
            pooled = features[:, 0]
        elif self.pool == "mean":
            pooled = features.mean(dim=1)
        else:
            pooled = features[:, 1:].mean(dim=1)
        logits: Tensor = self.head(pooled)
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
        }

    def _probe(self) -> None:
        backend = self.backend
        name = type(backend).__name__
        if not isinstance(backend, Backend):
            raise ConfigError(f"model.net.backend {name}: is no Backend; derive it from vitcli.net.Backend")
        if isinstance(backend, VanillaTransformer | Linformer) or self.class_token.is_meta:
            return
        shape = (1, self.tokens, self.dim)
        # evenly spaced, not drawn: a probe must not move the random numbers of the run
        tokens = torch.linspace(-1, 1, self.tokens * self.dim).to(self.class_token).reshape(shape)
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
        if not output.isfinite().all():
            raise ConfigError(f"model.net.backend {name}: returned infinite or undefined numbers for plain tokens")
