"""ProbeOptions: whether the head is found by logistic regression before the first epoch, and what is left to choose."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from vitcli.errors import ConfigError

Sees = Literal["auto", "as_set"]


@dataclass(frozen=True)
class ProbeOptions:
    """A head found by logistic regression on the features of the net, before the first epoch.

    With ``trainer.max_epochs 0`` that is all: a linear probe. With epochs, they begin with this head (LP-FT, Kumar et
    al. 2022): a head drawn at random would first pull the features away from what they were.

    Args:
        solve: Whether the head is found so.
        sees: What the head sees: auto (the pool and the number of last layers that predict best in cross-validation) or
            as_set (model.net.pool and model.net.head_layers).
        strength: C of the logistic regression, the weight of the images against that of the penalty, on features of
            mean 0 and deviation 1; auto: found by cross-validation.
        mirror: Whether each image counts as its mirror image too; twice the time.
        folds: Of the cross-validation, at least 2.

    Raises:
        ConfigError: A strength of 0 or less, or fewer than 2 folds.
    """

    solve: bool = False
    sees: Sees = "auto"
    strength: float | Literal["auto"] = "auto"
    mirror: bool = False
    folds: int = 5

    def __post_init__(self) -> None:
        if self.strength != "auto" and not 0 < self.strength < math.inf:
            raise ConfigError(f"probe.strength {self.strength}: must be above 0, e.g. 0.01, or auto")
        if self.folds < 2:
            raise ConfigError(f"probe.folds {self.folds}: below 2; 5 is usual")
