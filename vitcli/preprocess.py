"""Preprocess: what an image must look like to enter the net."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from PIL import Image

from vitcli.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

Interpolation = Literal["bilinear", "bicubic"]
RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@dataclass(frozen=True)
class Preprocess:
    """The deterministic way of an upright RGB picture into the net; saved with the weights.

    The largest centred rectangle of the net's aspect ratio is shrunk to ``crop_fraction`` of its sides and
    resized to ``size`` with antialiasing: what timm does for evaluation (resize, then centre crop), in one
    resampling and without rounding in between.

    Args:
        size: Height and width of the picture that enters the net, in pixels; follows ``model.net.image_size``.
        crop_fraction: Share of the largest centred rectangle that is kept, in (0, 1].
        interpolation: bilinear or bicubic.
        mean: Mean of red, green and blue on a scale of 0 to 1, subtracted.
        std: Standard deviation of red, green and blue on a scale of 0 to 1, divided by.

    Raises:
        ConfigError: A size below one pixel, a fraction outside (0, 1], or a standard deviation of zero or less.
    """

    size: tuple[int, int] = (224, 224)
    crop_fraction: float = 0.875
    interpolation: Interpolation = "bicubic"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        if min(self.size) < 1:
            raise ConfigError(f"model.preprocess.size {self.size}: both sides must be at least 1 pixel")
        if not 0 < self.crop_fraction <= 1:
            raise ConfigError(
                f"model.preprocess.crop_fraction {self.crop_fraction}: outside (0, 1]; 1 keeps the whole picture"
            )
        if min(self.std) <= 0:
            raise ConfigError(f"model.preprocess.std {self.std}: every value must be above 0; it is divided by")

    def __call__(self, image: Image.Image) -> Image.Image:
        """The centre of an upright RGB picture, resized to ``size``."""
        height, width = self.size
        scale = min(image.width / width, image.height / height) * self.crop_fraction
        left = (image.width - width * scale) / 2
        top = (image.height - height * scale) / 2
        box = (left, top, left + width * scale, top + height * scale)
        return image.resize((width, height), RESAMPLING[self.interpolation], box=box)

    def normalise(self, images: Tensor) -> Tensor:
        """Bytes as the net's numbers: uint8 (batch, 3, height, width) -> float32 of the same shape."""
        values = images.float()
        mean = values.new_tensor(self.mean).mul_(255).view(1, 3, 1, 1)
        std = values.new_tensor(self.std).mul_(255).view(1, 3, 1, 1)
        return values.sub_(mean).div_(std)
