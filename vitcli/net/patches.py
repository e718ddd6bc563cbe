"""PatchEmbed: images -> patch tokens; the grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vitcli.errors import ConfigError
from vitcli.net.init import small
from vitcli.net.limits import at_least_one, shown, sides

# patches of an image, up to which a batch is better convolved
MOST_CONVOLVED = 1024


@final
class PatchEmbed(nn.Module):
    """Patches of images as tokens: (batch, channels, height, width) -> (batch, patches, dim).

    The weights have the form of a convolution with kernel = stride = patch, which is what timm and torchvision
    store (Dosovitskiy et al. 2021, 3.1), and its numbers; the work is done as one matrix product.

    Args:
        image_size: Side of the images, or height and width, in pixels; each divisible by its patch side.
        patch_size: Side of a patch, or height and width, in pixels.
        channels: Colour channels of the images, at least 1.
        dim: Width of a token, at least 1.
        bias: Whether the projection has a bias.
        norm: Whether the pixels of a patch, and the token made of them, are normalised, as in vit-pytorch.
        norm_eps: Added to the variance in those norms.

    Raises:
        ConfigError: A size below 1, or an image that is not a whole number of patches.
    """

    def __init__(
        self,
        image_size: int | Sequence[int],
        patch_size: int | Sequence[int],
        channels: int,
        dim: int,
        bias: bool = True,
        norm: bool = False,
        norm_eps: float = 1e-6,
    ) -> None:
        super().__init__()
        self.image_size = sides("model.net.image_size", image_size)
        self.patch_size = sides("model.net.patch_size", patch_size)
        self.channels = at_least_one("model.net.channels", channels)
        self.dim = at_least_one("model.net.dim", dim)
        height, width = self.image_size
        patch_height, patch_width = self.patch_size
        if height % patch_height or width % patch_width:
            nearest = (
                max(1, round(height / patch_height)) * patch_height,
                max(1, round(width / patch_width)) * patch_width,
            )
            raise ConfigError(
                f"model.net.image_size {shown(self.image_size)}: not divisible by "
                f"model.net.patch_size {shown(self.patch_size)}; the nearest size that is: {shown(nearest)}"
            )
        self.grid = (height // patch_height, width // patch_width)
        self.proj = nn.Conv2d(channels, dim, kernel_size=self.patch_size, stride=self.patch_size, bias=bias)
        small(self.proj.weight)
        if self.proj.bias is not None:
            nn.init.zeros_(self.proj.bias)
        self.norm_in = nn.LayerNorm(channels * patch_height * patch_width, eps=norm_eps) if norm else None
        self.norm_out = nn.LayerNorm(dim, eps=norm_eps) if norm else None

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch patches dim"]:
        """Cut the images along the grid, row by row, and project each patch.

        Raises:
            ValueError: Images of another size or number of channels than the net was built for.
        """
        expected = (self.channels, *self.image_size)
        if images.shape[1:] != expected:
            # a smaller image would be cut without complaint, and its patches meet the wrong positions
            raise ValueError(f"images of shape {tuple(images.shape[1:])} for a net that was built for {expected}")
        if self._is_faster_as_convolution(images):
            convolved: Tensor = self.proj(images).flatten(2).transpose(1, 2)
            return convolved
        rows, columns = self.grid
        height, width = self.patch_size
        cut = images.reshape(images.shape[0], self.channels, rows, height, columns, width)
        patches = cut.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
        if self.norm_in is not None:
            patches = self.norm_in(patches)
        tokens = F.linear(patches, self.proj.weight.flatten(1), self.proj.bias)
        return tokens if self.norm_out is None else self.norm_out(tokens)

    def _is_faster_as_convolution(self, images: Tensor) -> bool:
        # the whole net at 224 px, patch 32, batch 64, float32 without gradients: 196 ms as a convolution, 260 ms cut,
        # whose 38 MB outgrow malloc's largest pool. Cutting wins for one image (2x), at 2048 px (1.5x, in bf16 7x) and
        # in bf16 training (1.1x); training in float32 is the same (docs/results.md, 2026-11-22)
        return (
            images.device.type == "cpu"
            and images.dtype == torch.float32
            and not torch.is_grad_enabled()
            and not torch.is_autocast_enabled("cpu")
            and not torch.compiler.is_compiling()
            and images.shape[0] > 1
            and self.grid[0] * self.grid[1] <= MOST_CONVOLVED
            and self.norm_in is None
        )
