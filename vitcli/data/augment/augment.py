"""Augment: settings of random augmentation; the random crop of an image, its draws for flip, colour and erasing."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import NamedTuple

from vitcli.data.augment.policy import POLICIES, Policy
from vitcli.errors import ConfigError
from vitcli.preprocess import Preprocess, Region

# After so many crops that do not fit, the picture is too narrow for any allowed shape.
CROP_TRIES = 10
# Zhong et al. 2020: share of the picture that is erased, and its height divided by its width.
ERASED_SHARE = (0.02, 0.33)
ERASED_RATIO = (0.3, 3.3)


class Chance(NamedTuple):
    """Random draws for a picture, applied later to its whole batch on the device.

    Args:
        mirror: Whether left and right are swapped, and top and bottom.
        colour: What brightness, contrast and saturation are multiplied by.
        erased: Top, left, bottom and right edge of what is erased, as fractions of the sides; all 0 for none.
    """

    mirror: tuple[bool, bool]
    colour: tuple[float, float, float]
    erased: tuple[float, float, float, float]


@dataclass(frozen=True)
class Augment:
    """Random augmentation of upright RGB pictures for training; evaluation never uses it.

    Args:
        crop_scale: Smallest and largest share of the picture's area that is cropped, each in (0, 1].
        crop_ratio: Smallest and largest width divided by height of the crop, each above 0, where 1 is the shape
            of the net's input: for most nets, a square.
        flip: Probability of mirroring left and right, in [0, 1].
        flip_vertical: Probability of mirroring top and bottom, in [0, 1]; for pictures without an upright side.
        colour: Strength of the change of brightness, contrast and saturation, in [0, 1]; 0 changes nothing,
            0.4 multiplies each by 0.6 to 1.4.
        policy: Further changes of shape and colour: none, trivial (one of any strength; TrivialAugment, Mueller and
            Hutter 2021) or rand (two of one strength; RandAugment, Cubuk et al. 2020).
        magnitude: Strength of rand, 0 to 30.
        erase: Probability of erasing a rectangle, in [0, 1] (Zhong et al. 2020).
        mixup: Parameter of the beta distribution by which pictures of a batch are blended with others; 0 blends none,
            0.2 to 0.8 are usual (Zhang et al. 2018).
        cutmix: The same for pasting a rectangle of another; 0 pastes none, 1 is usual (Yun et al. 2019). With mixup,
            each batch takes one of both.
        repeats: How often a picture stands in a batch, each time augmented anew, from 1; an epoch then shows that
            many times fewer pictures (Hoffer et al. 2020, and DeiT's repeated augmentation, which takes 3).

    Raises:
        ConfigError: A value outside its range, or a smallest value above its largest.
    """

    crop_scale: tuple[float, float] = (0.25, 1.0)
    crop_ratio: tuple[float, float] = (0.75, 1.3333)
    flip: float = 0.5
    flip_vertical: float = 0.0
    colour: float = 0.0
    policy: Policy = "none"
    magnitude: int = 9
    erase: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    repeats: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.crop_scale[0] <= self.crop_scale[1] <= 1:
            raise ConfigError(
                f"data.augment.crop_scale {self.crop_scale}: not 0 < smallest <= largest <= 1; "
                "give shares of the area, such as [0.25, 1.0]"
            )
        if not 0 < self.crop_ratio[0] <= self.crop_ratio[1]:
            raise ConfigError(
                f"data.augment.crop_ratio {self.crop_ratio}: not 0 < smallest <= largest; "
                "give width / height, such as [0.75, 1.3333]"
            )
        for key in ("flip", "flip_vertical", "erase"):
            if not 0 <= getattr(self, key) <= 1:
                raise ConfigError(
                    f"data.augment.{key} {getattr(self, key)}: not a probability; give a number from 0 to 1"
                )
        if not 0 <= self.colour <= 1:
            raise ConfigError(f"data.augment.colour {self.colour}: outside [0, 1]; 0 is none, 0.4 is usual")
        if self.policy not in POLICIES:
            raise ConfigError(f"data.augment.policy {self.policy!r}: unknown; choose one of {', '.join(POLICIES)}")
        if not 0 <= self.magnitude <= 30:
            raise ConfigError(f"data.augment.magnitude {self.magnitude}: outside 0 to 30; 9 is usual")
        for key in ("mixup", "cutmix"):
            if not 0 <= getattr(self, key) < math.inf:
                raise ConfigError(f"data.augment.{key} {getattr(self, key)}: negative or not finite; 0 is none")
        if self.repeats < 1:
            raise ConfigError(f"data.augment.repeats {self.repeats}: below 1; 1 shows each picture once")

    @property
    def mixes(self) -> bool:
        """Whether pictures of a batch are mixed."""
        return self.mixup > 0 or self.cutmix > 0

    def region(self, height: int, width: int, preprocess: Preprocess, rng: random.Random) -> Region:
        """The crop (Inception's, Szegedy et al. 2015) of a picture of this size.

        Args:
            height: Upright, in pixels.
            width: Upright, in pixels.
            preprocess: Where a crop may lie.
            rng: Where every random number comes from; only its ``random`` is used.
        """
        canvas = preprocess.canvas(height, width)
        full_height, full_width = canvas.bottom - canvas.top, canvas.right - canvas.left
        # relative to the shape of the net's input: else a net that is not square would see distorted pictures only
        narrowest, widest = (ratio * (preprocess.size[1] / preprocess.size[0]) for ratio in self.crop_ratio)
        for _ in range(CROP_TRIES):
            area = rng.uniform(*self.crop_scale) * full_width * full_height
            ratio = math.exp(rng.uniform(math.log(narrowest), math.log(widest)))
            across, down = math.sqrt(area * ratio), math.sqrt(area / ratio)
            if across <= full_width and down <= full_height:
                left = canvas.left + rng.uniform(0, full_width - across)
                top = canvas.top + rng.uniform(0, full_height - down)
                return Region(left, top, min(canvas.right, left + across), min(canvas.bottom, top + down))
        # The largest crop of an allowed shape, in the middle.
        ratio = min(max(full_width / full_height, narrowest), widest)
        across, down = min(full_width, full_height * ratio), min(full_height, full_width / ratio)
        left, top = canvas.left + (full_width - across) / 2, canvas.top + (full_height - down) / 2
        return Region(left, top, left + across, top + down)

    def chance(self, rng: random.Random) -> Chance:
        """The random draws for a picture besides its crop.

        Args:
            rng: Where every random number comes from; only its ``random`` is used.
        """
        mirror = (rng.random() < self.flip, rng.random() < self.flip_vertical)
        brightness, contrast, saturation = (rng.uniform(1 - self.colour, 1 + self.colour) for _ in range(3))
        erased = self._erased(rng) if rng.random() < self.erase else (0.0, 0.0, 0.0, 0.0)
        return Chance(mirror, (brightness, contrast, saturation), erased)

    def _erased(self, rng: random.Random) -> tuple[float, float, float, float]:
        share = rng.uniform(*ERASED_SHARE)
        ratio = math.exp(rng.uniform(*map(math.log, ERASED_RATIO)))
        down, across = min(1.0, math.sqrt(share * ratio)), min(1.0, math.sqrt(share / ratio))
        top, left = rng.uniform(0, 1 - down), rng.uniform(0, 1 - across)
        return top, left, top + down, left + across
