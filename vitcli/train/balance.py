"""Class weights of the loss: none, by name, or inversely to the number of images of each class."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from vitcli.errors import ConfigError

ClassWeights = Literal["auto"] | dict[str, float] | None


def weights_of(said: ClassWeights, classes: tuple[str, ...], labels: Tensor) -> Tensor | None:
    """The weight of each class, float32 (classes,); none where all count alike.

    Args:
        said: auto, a number by name, or none.
        classes: Their names.
        labels: int64 (images,), of the images that are trained on.
    """
    if said is None:
        return None
    if said == "auto":
        return auto_weights(torch.bincount(labels, minlength=len(classes)))
    assert isinstance(said, dict)
    return torch.tensor([float(said.get(name, 1.0)) for name in classes])


def auto_weights(counts: Tensor) -> Tensor:
    """The weight of each class, inversely to its images: int64 (classes,) -> float32, whose mean over images is 1."""
    return counts.sum() / (counts.clamp(min=1) * (counts > 0).sum())


def check_weights(weights: ClassWeights, classes: tuple[str, ...]) -> None:
    """Check that every weight is of a class and above 0.

    Raises:
        ConfigError: One is not.
    """
    for name, weight in weights.items() if isinstance(weights, dict) else ():
        if name not in classes:
            raise ConfigError(f"model.class_weights {name!r}: is none of the classes {', '.join(classes[:20])}")
        if not 0 < weight < float("inf"):
            raise ConfigError(f"model.class_weights {name!r} {weight}: must be a finite number above 0; 1 is usual")
