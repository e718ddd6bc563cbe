"""Class weights of the loss: none, by name, or inversely to the number of images of each class."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from vitcli.errors import ConfigError

# of float32, in which losses are computed
LARGEST = torch.finfo(torch.float32).max
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
    by_name = {str(name): weight for name, weight in said.items()}
    return torch.tensor([float(by_name.get(name, 1.0)) for name in classes])


def auto_weights(counts: Tensor) -> Tensor:
    """The weight of each class, inversely to its images: int64 (classes,) -> float32, whose mean over images is 1."""
    return counts.sum() / (counts.clamp(min=1) * (counts > 0).sum())


def check_once(weights: ClassWeights, sampler: str) -> None:
    """Check that rare classes are not made up for twice, after which they would outweigh the others.

    Args:
        weights: As for weights_of.
        sampler: Of the training's images.

    Raises:
        ConfigError: They are.
    """
    if weights == "auto" and sampler == "balanced":
        raise ConfigError(
            "model.class_weights auto: data.sampler balanced shows rare classes as often as the others already; leave "
            "one of the two out"
        )


def check_weights(weights: ClassWeights, classes: tuple[str, ...]) -> None:
    """Check that every weight is of a class and above 0.

    Raises:
        ConfigError: One is not.
    """
    if not isinstance(weights, dict):
        return
    # YAML reads the class 0 as a number
    keys: list[object] = list(weights)
    for key in keys:
        if str(key) not in classes:
            quotes = "" if isinstance(key, str) else "; YAML reads it as no name, so put the class in quotes"
            raise ConfigError(f"model.class_weights {key!r}: is none of the classes {', '.join(classes[:20])}{quotes}")
        if list(map(str, keys)).count(str(key)) > 1:
            raise ConfigError(f"model.class_weights {key!r}: names the class {key} twice; keep one of its weights")
    for name, weight in weights.items():
        if not 0 < weight < LARGEST:
            raise ConfigError(
                f"model.class_weights {name!r} {weight}: must be above 0 and below {LARGEST:g}; 1 is usual"
            )
