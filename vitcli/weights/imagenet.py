"""ImageNet: the names of its classes, in the order of everyone's logits."""

from __future__ import annotations

# how many classes the ImageNet has that everyone's nets are trained on
IMAGENET = 1000


def imagenet() -> tuple[str, ...]:
    """The names of ImageNet's thousand classes, in the order of everyone's logits."""
    from torchvision.models import ViT_B_16_Weights  # type: ignore[import-untyped]

    return tuple(ViT_B_16_Weights.IMAGENET1K_V1.meta["categories"])
