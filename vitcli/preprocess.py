"""Preprocess: the deterministic resize, crop, padding and normalisation of an image for the net."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from vitcli.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

Interpolation = Literal["bilinear", "bicubic"]
Resize = Literal["squash", "center_crop", "pad"]


class Region(NamedTuple):
    """A part of a picture by its edges, in pixels of the upright picture; it may reach beyond."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Preprocess:
    """Deterministic preprocessing of an upright RGB picture for the net; saved with the weights.

    One antialiased resampling brings a region of the picture to ``size``; ``resize`` decides which. With
    center_crop it is the largest centred rectangle of the net's aspect ratio, shrunk to ``crop_fraction`` of its sides:
    what timm does for evaluation (resize, then centre crop).

    Args:
        size: Height and width of the picture that enters the net, in pixels; follows ``model.net.image_size``.
        resize: center_crop (the middle, undistorted), squash (the whole picture, distorted), or pad (the whole
            picture, undistorted, padded with the mean colour).
        crop_fraction: Share of the largest centred rectangle that center_crop keeps, in (0, 1].
        interpolation: bilinear or bicubic.
        mean: Mean of red, green and blue on a scale of 0 to 1, subtracted.
        std: Standard deviation of red, green and blue on a scale of 0 to 1, divided by.
        white: Value of white in pictures of more than 8 bits; null takes what the file says, or else the largest
            number of 8, 10, 12, 14 or 16 bits that holds all values of the picture.

    Raises:
        ConfigError: A size below one pixel, a fraction outside (0, 1], a standard deviation of zero or less, or a
            white outside 1 to 4294967295.
    """

    size: tuple[int, int] = (224, 224)
    resize: Resize = "center_crop"
    crop_fraction: float = 0.875
    interpolation: Interpolation = "bicubic"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    white: int | None = None

    def __post_init__(self) -> None:
        if min(self.size) < 1:
            raise ConfigError(f"model.preprocess.size {self.size}: both sides must be at least 1 pixel")
        if not 0 < self.crop_fraction <= 1:
            raise ConfigError(
                f"model.preprocess.crop_fraction {self.crop_fraction}: outside (0, 1]; 1 keeps the whole picture"
            )
        if min(self.std) <= 0:
            raise ConfigError(f"model.preprocess.std {self.std}: every value must be above 0; it is divided by")
        if self.white is not None and not 1 <= self.white < 2**32:
            raise ConfigError(
                f"model.preprocess.white {self.white}: outside 1 to {2**32 - 1}; 4095 is white in 12 bits, 65535 in 16"
            )

    @property
    def fill(self) -> tuple[int, int, int]:
        """The mean colour, 0 to 255, which is about zero once normalised."""
        red, green, blue = (min(255, max(0, round(255 * value))) for value in self.mean)
        return red, green, blue

    def canvas(self, height: int, width: int) -> Region:
        """What of a picture may enter the net: all of it, or with pad, that and the padding.

        Args:
            height: Of the upright picture, in pixels.
            width: Of the upright picture, in pixels.
        """
        return self._centred(height, width, max) if self.resize == "pad" else Region(0, 0, width, height)

    def region(self, height: int, width: int) -> Region:
        """What of a picture enters the net in evaluation.

        Args:
            height: Of the upright picture, in pixels.
            width: Of the upright picture, in pixels.
        """
        if self.resize == "center_crop":
            return self._centred(height, width, min, self.crop_fraction)
        return self.canvas(height, width)

    def _centred(self, height: int, width: int, fit: Callable[[float, float], float], share: float = 1.0) -> Region:
        scale = fit(width / self.size[1], height / self.size[0]) * share
        left, top = (width - self.size[1] * scale) / 2, (height - self.size[0] * scale) / 2
        return Region(left, top, width - left, height - top)

    def normalise(self, images: Tensor) -> Tensor:
        """Bytes normalised for the net: (batch, 3, height, width) of 0 to 255 -> float32 of the same shape."""
        import torch

        values = images.to(torch.float32, memory_format=torch.contiguous_format, copy=True)
        mean, std = (constant(numbers, values).mul_(255).view(1, 3, 1, 1) for numbers in (self.mean, self.std))
        return values.sub_(mean).div_(std)


def constant(numbers: Sequence[float], like: Tensor) -> Tensor:
    """Numbers as a tensor (length,) on the device and of the dtype of another one.

    Copied without blocking: torch's ``new_tensor`` waits until a GPU has finished all that is queued, and then the GPU
    waits for its next task. Not on Apple's GPUs, which may read the memory after it was freed.
    """
    import torch

    return torch.tensor(numbers, dtype=like.dtype).to(like.device, non_blocking=like.device.type != "mps")
