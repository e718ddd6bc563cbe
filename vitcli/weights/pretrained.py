"""Pretrained: a net to start from, the names of its classes, and how its images are prepared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

from vitcli.errors import WeightsError
from vitcli.net import ViT
from vitcli.net.resample import Resampling
from vitcli.preprocess import Preprocess
from vitcli.weights.imagenet import IMAGENET, imagenet


@final
@dataclass(frozen=True)
class Pretrained:
    """A net to start from, and what is known of how its images were prepared.

    Args:
        name: As the user typed it.
        net: The net, in eval mode.
        classes: Names of its logits, where they are known.
        preprocess: Crop, interpolation, mean and std, where they are known.
        resampling: Whose way of resampling positions is its own.
    """

    name: str
    net: ViT
    classes: tuple[str, ...] | None
    preprocess: dict[str, Any]
    resampling: Resampling = "timm"

    @property
    def may_be_imagenets(self) -> bool:
        """Whether its logits have no names, and are as many as ImageNet's."""
        return self.classes is None and self.net.classes == IMAGENET

    def names(self) -> list[str]:
        """Names of its logits; where none are known, ImageNet's for as many as it has, else numbers."""
        if self.may_be_imagenets:
            return list(imagenet())
        return list(self.classes or [f"class_{number}" for number in range(self.net.classes)])

    def contract(self, spec: str) -> Preprocess:
        """How an image is prepared for the net; what is not known of it is vitcli's default.

        Args:
            spec: The weights as a message names them.

        Raises:
            WeightsError: What they say of it is not vitcli's.
        """
        said: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in self.preprocess.items()
        }
        try:
            return Preprocess(size=self.net.image_size, **said)
        except TypeError as error:
            raise WeightsError(f"{spec}: what it says of preprocessing is not vitcli's: {error}") from error

    def base_config(self, *, fresh: bool) -> dict[str, Any]:
        """The model section that holds where the user types nothing else.

        Args:
            fresh: Whether the classes are to be those of new images; else they are the weights' own.
        """
        settings = self.net.settings()
        settings.pop("classes")
        model: dict[str, Any] = {"net": settings, "preprocess": self.preprocess}
        if not fresh:
            model["classes"] = self.names()
        return {"model": model}
