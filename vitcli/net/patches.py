"""PatchEmbed: images -> a grid of patches -> tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vitcli.errors import ConfigError
from vitcli.net.init import small
from vitcli.net.kernels.dense import dense, product_of
from vitcli.net.kernels.traced import seen_through
from vitcli.net.limits import count_or_size, shown, sides

# numbers that are cut at once: twice as many fit into the caches of a core
PIECE = 1_000_000


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
        self.image_size, self.patch_size, self.grid = on_grid(image_size, patch_size)
        self.channels = count_or_size("model.net.channels", channels)
        self.dim = count_or_size("model.net.dim", dim)
        patch_height, patch_width = self.patch_size
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
        expect_shape(images, self.channels, self.image_size)
        if self.norm_in is None and pieced(images):
            tokens: Tensor = _Projected.apply(images, self.proj.weight, self.proj.bias)
            return tokens
        patches = cut(images, self.patch_size)
        if self.norm_in is not None:
            patches = self.norm_in(patches)
        tokens = dense(patches, self.proj.weight.flatten(1), self.proj.bias)
        return tokens if self.norm_out is None else self.norm_out(tokens)


def on_grid(
    image_size: int | Sequence[int], patch_size: int | Sequence[int]
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Height and width of images, of a patch, and rows and columns of patches.

    Args:
        image_size: Side of the images, or height and width, in pixels.
        patch_size: Side of a patch, or height and width, in pixels.

    Raises:
        ConfigError: A side below 1 pixel, or an image that is not a whole number of patches.
    """
    images, patches = sides("model.net.image_size", image_size), sides("model.net.patch_size", patch_size)
    if any(side % patch for side, patch in zip(images, patches, strict=True)):
        nearest = [max(1, round(side / patch)) * patch for side, patch in zip(images, patches, strict=True)]
        raise ConfigError(
            f"model.net.image_size {shown(images)}: not divisible by model.net.patch_size {shown(patches)}; "
            f"the nearest size that is: {shown(nearest)}"
        )
    return images, patches, (images[0] // patches[0], images[1] // patches[1])


def expect_shape(images: Tensor, channels: int, image_size: tuple[int, int]) -> None:
    """Check that images are of the size and number of channels that a net was built for.

    A smaller image would be cut without an error, and its patches get the wrong positions.

    Raises:
        ValueError: They are not.
    """
    expected = (channels, *image_size)
    if images.shape[1:] != expected:
        raise ValueError(f"images of shape {tuple(images.shape[1:])} for a net that was built for {expected}")


def cut(
    images: Float[Tensor, "batch channels height width"], patch_size: tuple[int, int]
) -> Float[Tensor, "batch patches pixels"]:
    """Patches row by row, each as the pixels of one colour after the other."""
    batch, channels, height, width = images.shape
    rows, columns = height // patch_size[0], width // patch_size[1]
    grid = images.reshape(batch, channels, rows, patch_size[0], columns, patch_size[1])
    return grid.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def pieced(images: Tensor) -> bool:
    """Whether images are better cut and projected piece by piece: many numbers on a CPU, not traced by a compiler.

    All patches of a batch outgrow every cache: of 64 images at 224 px, cutting and projecting
    took 30 ms and takes 18, in bfloat16 27 and 10 (docs/lab/2026-11-25.md).
    """
    return (
        not seen_through(images)
        and images.device.type == "cpu"
        and images.dtype == torch.float32
        and images.numel() > PIECE
        and not images.requires_grad
    )


class _Projected(torch.autograd.Function):
    """cut and dense, with the patches cut again for the gradient instead of kept."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(images, weight)
        kind = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else images.dtype
        flat = weight.flatten(1).to(kind)
        offset = None if bias is None else bias.to(kind)
        parts = [dense(patches, flat, offset) for patches in _pieces(images, weight, kind)]
        joined = torch.cat([part.flatten(0, 1) for part in parts])
        return joined.reshape(images.shape[0], -1, weight.shape[0])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor | None, Tensor | None]:
        images, weight = ctx.saved_tensors
        rows = grad.reshape(-1, grad.shape[-1])
        total = None
        if ctx.needs_input_grad[1]:
            total, start = torch.zeros_like(weight.flatten(1)), 0
            for patches in _pieces(images, weight, grad.dtype):
                flat = patches.flatten(0, 1)
                total += product_of(rows[start : start + len(flat)], flat)
                start += len(flat)
            total = total.reshape(weight.shape)
        return None, total, rows.sum(0, dtype=weight.dtype) if ctx.needs_input_grad[2] else None


def _pieces(images: Tensor, weight: Tensor, kind: torch.dtype) -> Iterator[Tensor]:
    """The patches of some images, or of some rows of one, after another."""
    height, width = weight.shape[2:]
    rows = images.shape[2] // height
    rows_at_once = max(1, PIECE // (images[0].numel() // rows))
    images_at_once = max(1, rows_at_once // rows)
    for some in torch.split(images, images_at_once):
        for part in torch.split(some, rows_at_once * height, dim=2):
            yield cut(part.to(kind), (height, width))
