"""Mixer: Linformer's projections along the tokens (linear, conv, average pooling), how they begin and are applied."""

from __future__ import annotations

import math
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vitcli.errors import ConfigError
from vitcli.net.tokens import Tokens

Projection = Literal["linear", "avgpool", "conv"]
ProjInit = Literal["unit", "avgpool", "peer"]


@final
class Mixer:
    """Tokens to k mixtures of them: (batch, tokens, dim) -> (batch, k, dim); holds no weights, only how to use them.

    Weights are (tokens, k), or (heads, tokens, k) for a projection per head; of a convolution, in the form of its
    kernel, (1, 1, height, width) or (heads, 1, height, width); none for average pooling. Pooling and convolution
    leave the prefix as it is, and so does a linear projection that shall not project it.

    Args:
        tokens: Number of tokens, with their prefix and grid.
        k: Number of mixtures.
        projection: linear (any mixture, learned), avgpool (the mean of a cell of the grid), conv (one learned kernel
            for all cells).
        project_prefix: Whether the prefix counts among the k; else it is kept beside them.

    Raises:
        ConfigError: The grid has no k cells.
    """

    def __init__(self, tokens: int, k: int, projection: Projection = "linear", project_prefix: bool = True) -> None:
        lie = Tokens.of(tokens)
        self.k = k
        self.projection = projection
        self.prefix = lie.prefix
        self.grid = lie.grid
        self.counted = lie.prefix if project_prefix else 0
        self.kept = 0 if projection == "linear" and project_prefix else lie.prefix
        self.rows = lie - self.kept
        self.cells = (0, 0) if projection == "linear" else cells(self.grid, k - self.counted, k)
        if projection == "conv" and (self.grid[0] % self.cells[0] or self.grid[1] % self.cells[1]):
            raise ConfigError(
                f"model.net.backend.k {k}: a convolution needs cells of one size, but {self.cells[0]} x "
                f"{self.cells[1]} cells do not divide a grid of {self.grid[0]} x {self.grid[1]} patches; "
                "choose another k, or model.net.backend.projection avgpool"
            )

    def weight(self, heads: int | None, init: ProjInit) -> nn.Parameter | None:
        """A new projection, one for each of so many heads or one for all; none where there is nothing to learn."""
        if self.projection == "avgpool":
            return None
        if self.projection == "conv":
            kernel = self.grid[0] // self.cells[0], self.grid[1] // self.cells[1]
            return self._begun(torch.empty(heads or 1, 1, *kernel), init, math.prod(kernel))
        return self._begun(
            torch.empty(self.rows, self.k) if heads is None else torch.empty(heads, self.rows, self.k), init, self.rows
        )

    def average(self, weight: Tensor) -> Tensor:
        """A projection of the same shape that is average pooling."""
        if weight.dim() == 4:
            return torch.full_like(weight, 1 / math.prod(weight.shape[2:]))
        return torch.empty_like(weight) if weight.is_meta else self.pooling().to(weight).expand_as(weight).clone()

    def _begun(self, weight: Tensor, init: ProjInit, mixed: int) -> nn.Parameter:
        # mixed: of how many tokens a mixture is made
        if init == "avgpool":
            return nn.Parameter(self.average(weight))
        largest = self.k**-0.5
        return nn.Parameter(weight.normal_(std=mixed**-0.5) if init == "unit" else weight.uniform_(-largest, largest))

    def pooling(self) -> Float[Tensor, "tokens k"]:
        """The linear projection that is average pooling; every column sums to one, and the prefix has its own."""
        patches = math.prod(self.grid)
        cut = cells(self.grid, self.k - self.rows + patches, self.k)
        # float32 on the CPU wherever the net is built: the pooling of one-hot maps
        maps = torch.eye(patches, device="cpu", dtype=torch.float32).reshape(patches, *self.grid)
        prefix = self.rows - patches
        matrix = F.pad(F.adaptive_avg_pool2d(maps, cut).flatten(1), (prefix, 0, prefix, 0))
        matrix[:prefix, :prefix].fill_diagonal_(1)
        return matrix

    def __call__(self, weight: Tensor | None, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch _ _"]:
        """The kept prefix and the k mixtures; where each head has its own projection, dim is heads * head_dim."""
        patches = tokens[:, self.kept :]
        batch, _, dim = patches.shape
        if weight is None:
            maps = patches.transpose(1, 2).reshape(batch, dim, *self.grid)
            mixed = F.adaptive_avg_pool2d(maps, self.cells).flatten(2).transpose(1, 2)
        elif self.projection == "conv":
            heads, _, height, width = weight.shape
            cut = patches.reshape(batch, self.cells[0], height, self.cells[1], width, heads, dim // heads)
            mixed = torch.einsum("brycxhd,hyx->brchd", cut, weight[:, 0])
            mixed = mixed.reshape(batch, self.cells[0] * self.cells[1], dim)
        elif weight.dim() == 3:
            cut = patches.reshape(batch, self.rows, weight.shape[0], dim // weight.shape[0])
            mixed = torch.einsum("bnhd,hnk->bkhd", cut, weight).flatten(2)
        else:
            mixed = weight.t() @ patches
        return torch.cat([tokens[:, : self.kept], mixed], dim=1) if self.kept else mixed

    def cost(self) -> int:
        """Products per feature."""
        return self.rows * (self.k if self.projection == "linear" else 1)


def cells(grid: tuple[int, int], number: int, k: int) -> tuple[int, int]:
    """Rows and columns of so many cells on a grid, each as square as can be.

    Raises:
        ConfigError: No rows * columns that fit into the grid make that number.
    """
    choices = [
        (rows, number // rows)
        for rows in range(1, grid[0] + 1)
        if number > 0 and number % rows == 0 and number // rows <= grid[1]
    ]
    if not choices:
        square = math.isqrt(min(grid[0] * grid[1], max(1, number)))
        fits = min(square, grid[0]) * min(square, grid[1]) + k - number
        raise ConfigError(
            f"model.net.backend.k {k}: {number} cells do not fit into a grid of {grid[0]} x {grid[1]} patches; "
            f"choose {fits}"
        )
    return min(choices, key=lambda cut: abs(math.log(grid[0] / cut[0] / (grid[1] / cut[1]))))
