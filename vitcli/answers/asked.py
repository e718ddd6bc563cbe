"""Asked: what is asked of the net beside its logits: temperature, test-time augmentation, threshold, features."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, final

from vitcli.errors import ConfigError

Tta = Literal["none", "flip"]


@final
@dataclass(frozen=True, slots=True)
class Asked:
    """How the net is asked, and how its answer is read.

    Args:
        temperature: By which logits are divided (Guo et al. 2017); above 1 the net is less sure.
        tta: none, or flip: the mean of the probabilities of each image and of its mirror image.
        threshold: The second of two classes is predicted from this probability on, in [0, 1]; None: the likelier one.
        features: Whether the pooled features are wanted too.

    Raises:
        ConfigError: A temperature of 0 or less, or a threshold outside [0, 1].
    """

    temperature: float = 1.0
    tta: Tta = "none"
    threshold: float | None = None
    features: bool = False

    def __post_init__(self) -> None:
        if not (self.temperature > 0 and math.isfinite(self.temperature)):
            raise ConfigError(
                f"temperature {self.temperature:g}: must be above 0; 1 leaves the probabilities as they are"
            )
        if self.tta not in ("none", "flip"):
            raise ConfigError(f"tta {self.tta}: there is none and flip")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ConfigError(f"threshold {self.threshold:g}: outside [0, 1]; give a probability such as 0.5")

    def check(self, classes: tuple[str, ...]) -> None:
        """Check that a net of these classes can be asked so.

        Raises:
            ConfigError: A threshold for other than two classes.
        """
        if self.threshold is not None and len(classes) != 2:
            raise ConfigError(
                f"threshold {self.threshold:g}: is for two classes, and there are {len(classes)}; leave it out"
            )
