"""Position embeddings: the kinds there are, and the fixed sines and cosines of row and column."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from vitcli.errors import ConfigError

Positions = Literal["learned", "learned_patches", "sincos", "none"]


def sincos(grid: tuple[int, int], dim: int) -> Float[Tensor, "1 patches dim"]:
    """Sines and cosines of column and row at dim / 4 wavelengths, as in vit-pytorch's SimpleViT (Beyer et al. 2022).

    Raises:
        ConfigError: A dim that is no multiple of four, or only four.
    """
    if dim % 4 or dim < 8:
        raise ConfigError(f"model.net.dim {dim}: model.net.positions sincos needs a multiple of 4, at least 8")
    rows, columns = torch.meshgrid(*(torch.arange(side) for side in grid), indexing="ij")
    waves = 1.0 / (10_000 ** (torch.arange(dim // 4) / (dim // 4 - 1)))
    across, down = (side.flatten()[:, None] * waves[None, :] for side in (columns, rows))
    return torch.cat([across.sin(), across.cos(), down.sin(), down.cos()], dim=1).unsqueeze(0)
