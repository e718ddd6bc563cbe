"""ConvStem: images -> a few convolutions, each halving the map -> tokens on the grid of the patches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vitcli.errors import ConfigError
from vitcli.net.init import small
from vitcli.net.kernels.dense import dense
from vitcli.net.kernels.undrawn import is_undrawn
from vitcli.net.limits import count_or_size, shown
from vitcli.net.patches import expect_shape, on_grid

Stem = Literal["patches", "conv"]
# side of the first convolution, which cuts patches of its own; channels that are normalised together
FIRST, GROUP = 4, 16


@final
class ConvStem(nn.Module):
    """Images as tokens, by convolutions: (batch, channels, height, width) -> (batch, patches, dim).

    In place of one product of each patch, which a small net has to learn from few images (Xiao et al. 2021, "Early
    convolutions help transformers see better"). As many tokens on the same grid come out, but each sees beyond its
    patch. A convolution of 4 x 4 pixels comes first, for maps of half the size would take most of the time; then
    one of 3 x 3 for each halving, and another behind it but for the last. The weights are standardised and the maps
    normalised in groups of channels (Qiao et al. 2019; Kolesnikov et al. 2020, BiT): no image depends on the others
    of its batch, and nothing is kept beside the weights, as batch normalisation would.

    Args:
        image_size: Side of the images, or height and width, in pixels; each divisible by its patch side.
        patch_size: Side of a patch in pixels, a power of 2 from 4 on.
        channels: Colour channels of the images, at least 1.
        dim: Width of a token, at least 1.
        bias: Whether the last product has a bias.
        norm_eps: Added to the variance in the norms.

    Raises:
        ConfigError: A size below 1, an image that is not a whole number of patches, or a patch of another side.
    """

    def __init__(
        self,
        image_size: int | Sequence[int],
        patch_size: int | Sequence[int],
        channels: int,
        dim: int,
        bias: bool = True,
        norm_eps: float = 1e-6,
    ) -> None:
        super().__init__()
        self.image_size, self.patch_size, self.grid = on_grid(image_size, patch_size)
        self.channels = count_or_size("model.net.channels", channels)
        self.dim = count_or_size("model.net.dim", dim)
        side, other = self.patch_size
        if side != other or side < FIRST or side & (side - 1):
            raise ConfigError(
                f"model.net.patch_size {shown(self.patch_size)}: model.net.stem conv halves the picture again and "
                "again; choose 4, 8, 16 or 32, or model.net.stem patches"
            )
        layers = list(plan(side, channels, dim))
        self.convs = nn.ModuleList(StandardConv(*layer) for layer in layers)
        self.norms = nn.ModuleList(nn.GroupNorm(groups(layer[1]), layer[1], eps=norm_eps) for layer in layers)
        self.proj = nn.Conv2d(layers[-1][1], dim, kernel_size=1, bias=bias)
        small(self.proj.weight)
        if self.proj.bias is not None:
            nn.init.zeros_(self.proj.bias)

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch patches dim"]:
        """Through all convolutions; the tokens come row by row.

        Raises:
            ValueError: Images of another size or number of channels than the net was built for.
        """
        expect_shape(images, self.channels, self.image_size)
        maps = images.contiguous(memory_format=torch.channels_last)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            maps = F.relu(norm(conv(maps)))
        cells = maps.permute(0, 2, 3, 1).flatten(1, 2)
        return dense(cells, self.proj.weight.flatten(1), self.proj.bias)


@final
class StandardConv(nn.Module):
    """A convolution whose filters have mean 0 and length 1, times a learned gain: weight standardisation.

    Args:
        inputs: Channels that come in.
        outputs: Channels that go out.
        side: Of the filters, in pixels.
        stride: Pixels between filters.
    """

    def __init__(self, inputs: int, outputs: int, side: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.padding = 0 if side == stride else side // 2
        self.weight = nn.Parameter(torch.empty(outputs, inputs, side, side))
        if not is_undrawn():
            nn.init.kaiming_normal_(self.weight, mode="fan_out")
        self.gain = nn.Parameter(torch.ones(outputs))

    def forward(self, maps: Float[Tensor, "batch inputs height width"]) -> Float[Tensor, "batch outputs rows columns"]:
        """The products of every filter with every place."""
        variance, mean = torch.var_mean(self.weight, (1, 2, 3), keepdim=True, correction=0)
        scale = torch.rsqrt(variance * self.weight[0].numel() + 1e-8) * self.gain.view(-1, 1, 1, 1)
        return F.conv2d(maps, (self.weight - mean) * scale, stride=self.stride, padding=self.padding)


def plan(patch_size: int, channels: int, dim: int) -> Iterator[tuple[int, int, int, int]]:
    """Inputs, outputs, side and stride of each convolution; the width begins at dim / 4 and doubles with each halving.

    Args:
        patch_size: Side of a patch in pixels, a power of 2 from 4 on.
        channels: Colour channels of the images.
        dim: Width of a token.
    """
    width, done = max(1, dim // 4), FIRST
    yield channels, width, FIRST, FIRST
    while done < patch_size:
        yield width, 2 * width, 3, 2
        width, done = 2 * width, 2 * done
        if done < patch_size:
            yield width, width, 3, 1


def groups(channels: int) -> int:
    """Groups of 16 channels, as far as they divide."""
    return channels // GROUP if channels % GROUP == 0 else 1
