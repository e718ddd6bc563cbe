"""resample: position embeddings and Linformer projections interpolated from one grid of patches to another."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

Resampling = Literal["timm", "torchvision"]
Grid = tuple[int, int]
PROJECTIONS = ("project_keys", "project_values", "shared_projection")


def resample(state: Mapping[str, Tensor], old: Grid, new: Grid, way: Resampling = "timm") -> dict[str, Tensor]:
    """A net's state dict on another grid: positions and Linformer projections resampled, all else as it was.

    Args:
        state: Tensors under the net's own names.
        old: Rows and columns of patches of these tensors.
        new: Rows and columns of patches of the result.
        way: Whose way of resampling positions: timm's or torchvision's; projections are always resampled as timm
            resamples positions.
    """
    if old == new:
        return dict(state)
    moved = {}
    for name, tensor in state.items():
        if name == "pos_embed":
            moved[name] = positions(tensor, old, new, way)
        elif name.endswith(PROJECTIONS):
            moved[name] = kernel(tensor, old, new) if tensor.dim() == 4 else projection(tensor, old, new)
        else:
            moved[name] = tensor
    return moved


def positions(
    table: Float[Tensor, "1 rows dim"], old: Grid, new: Grid, way: Resampling = "timm"
) -> Float[Tensor, "1 new_rows dim"]:
    """A table of positions on another grid; rows before the patches stay as they are.

    timm's resample_abs_pos_embed is bicubic with antialiasing, in float32; torchvision's interpolate_embeddings is
    bicubic with aligned corners and without. They differ by several percent, also when a grid grows.
    """
    prefix = table.shape[1] - math.prod(old)
    moved = _moved(table[:, prefix:], old, new, way)
    return _joined(table[:, :prefix], moved, dim=1)


def projection(weight: Float[Tensor, "*heads rows k"], old: Grid, new: Grid) -> Float[Tensor, "*heads new_rows k"]:
    """A projection along the tokens on another grid; rows before the patches stay as they are.

    A mixture is a sum over the patches, so its weights shrink as the patches become more: times N_old / N_new.
    Without that factor, attention changes by a multiple of itself.
    """
    prefix = weight.shape[-2] - math.prod(old)
    moved = _moved(weight[..., prefix:, :], old, new, "timm") * (math.prod(old) / math.prod(new))
    return _joined(weight[..., :prefix, :], moved, dim=-2)


def kernel(weight: Float[Tensor, "heads 1 height width"], old: Grid, new: Grid) -> Float[Tensor, "heads 1 _ _"]:
    """A convolution's kernel for cells that grow with the grid, by the same rule."""
    size = [round(side * after / before) for side, before, after in zip(weight.shape[2:], old, new, strict=True)]
    moved = F.interpolate(weight.float(), size=size, mode="bicubic", antialias=True).to(weight.dtype)
    return moved * (math.prod(weight.shape[2:]) / math.prod(size))


def _moved(rows: Tensor, old: Grid, new: Grid, way: Resampling) -> Tensor:
    maps = rows.transpose(-1, -2).reshape(1, -1, *old)
    if way == "timm":
        maps = F.interpolate(maps.float(), size=new, mode="bicubic", antialias=True).to(rows.dtype)
    else:
        maps = F.interpolate(maps, size=new, mode="bicubic", align_corners=True)
    return maps.reshape(*rows.shape[:-2], rows.shape[-1], -1).transpose(-1, -2)


def _joined(prefix: Tensor, moved: Tensor, dim: int) -> Tensor:
    return torch.cat([prefix, moved], dim=dim).contiguous()
