"""How does a training picture differ from epoch to epoch? By a random crop, a flip and a change of colour."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from PIL import Image, ImageEnhance

from vitcli.errors import ConfigError
from vitcli.preprocess import RESAMPLING, Interpolation

# A crop that must be drawn anew this often is of a picture too narrow for any allowed shape.
CROP_TRIES = 10


@dataclass(frozen=True)
class Augment:
    """The random way of an upright RGB picture into training; evaluation never uses it.

    Args:
        crop_scale: Smallest and largest share of the picture's area that is cropped, each in (0, 1].
        crop_ratio: Smallest and largest width divided by height of the crop, each above 0.
        flip: Probability of mirroring left and right, in [0, 1].
        colour: Strength of the change of brightness, contrast and saturation, in [0, 1]; 0 changes nothing,
            0.4 multiplies each by 0.6 to 1.4.

    Raises:
        ConfigError: A value outside its range, or a smallest value above its largest.
    """

    crop_scale: tuple[float, float] = (0.25, 1.0)
    crop_ratio: tuple[float, float] = (0.75, 1.3333)
    flip: float = 0.5
    colour: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.crop_scale[0] <= self.crop_scale[1] <= 1:
            raise ConfigError(
                f"data.augment.crop_scale {self.crop_scale}: not 0 < smallest <= largest <= 1 - "
                "give shares of the area, such as [0.25, 1.0]"
            )
        if not 0 < self.crop_ratio[0] <= self.crop_ratio[1]:
            raise ConfigError(
                f"data.augment.crop_ratio {self.crop_ratio}: not 0 < smallest <= largest - "
                "give width / height, such as [0.75, 1.3333]"
            )
        if not 0 <= self.flip <= 1:
            raise ConfigError(f"data.augment.flip {self.flip}: not a probability - give a number from 0 to 1")
        if not 0 <= self.colour <= 1:
            raise ConfigError(f"data.augment.colour {self.colour}: outside [0, 1] - 0 is none, 0.4 is usual")

    def __call__(
        self, image: Image.Image, size: tuple[int, int], interpolation: Interpolation, rng: random.Random
    ) -> Image.Image:
        """A random variant of an upright RGB picture, in the size of the net.

        Args:
            image: The picture.
            size: Height and width of the result in pixels.
            interpolation: bilinear or bicubic.
            rng: Where every random number comes from; only its ``random`` is used.
        """
        height, width = size
        # One antialiased resampling from the crop's exact edges: no rounding, and no second blur.
        varied = image.resize((width, height), RESAMPLING[interpolation], box=self._crop(image.size, rng))
        if rng.random() < self.flip:
            varied = varied.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if self.colour > 0:
            for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
                varied = enhance(varied).enhance(rng.uniform(1 - self.colour, 1 + self.colour))
        return varied

    def _crop(self, image_size: tuple[int, int], rng: random.Random) -> tuple[float, float, float, float]:
        """Left, top, right and bottom edge of the crop, in pixels (Inception's crop, Szegedy et al. 2015)."""
        image_width, image_height = image_size
        lowest, highest = (math.log(ratio) for ratio in self.crop_ratio)
        for _ in range(CROP_TRIES):
            area = rng.uniform(*self.crop_scale) * image_width * image_height
            ratio = math.exp(rng.uniform(lowest, highest))
            width, height = math.sqrt(area * ratio), math.sqrt(area / ratio)
            if width <= image_width and height <= image_height:
                left, top = rng.uniform(0, image_width - width), rng.uniform(0, image_height - height)
                return left, top, min(image_width, left + width), min(image_height, top + height)
        # The largest crop of an allowed shape, in the middle.
        ratio = min(max(image_width / image_height, self.crop_ratio[0]), self.crop_ratio[1])
        width, height = min(image_width, image_height * ratio), min(image_height, image_width / ratio)
        left, top = (image_width - width) / 2, (image_height - height) / 2
        return left, top, left + width, top + height
