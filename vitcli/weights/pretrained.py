"""Weights to start from, wherever they lie: a file, a checkpoint, or a name that timm or torchvision knows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor

from vitcli.errors import NoHeadError, WeightsError
from vitcli.net import ViT, build
from vitcli.net.resample import Resampling
from vitcli.weights import import_net, open_net, read_metadata
from vitcli.weights.checkpoint import is_flat, names_class, read_checkpoint

LIBRARIES = ("timm", "torchvision")
# how many classes the ImageNet has that everyone's nets are trained on
IMAGENET = 1000
# of the largest logit, between two implementations in float32
SAME = 1e-3


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


def imagenet() -> tuple[str, ...]:
    """The names of ImageNet's thousand classes, in the order of everyone's logits."""
    from torchvision.models import ViT_B_16_Weights  # type: ignore[import-untyped]

    return tuple(ViT_B_16_Weights.IMAGENET1K_V1.meta["categories"])


def open_pretrained(spec: str, *, to_train: bool = False, **said: Any) -> Pretrained:
    """The weights that ``--weights`` means.

    Args:
        spec: A file of ours (safetensors or a checkpoint), a peer's file, ``timm:NAME`` or ``torchvision:NAME``.
        to_train: Whether they need no head, as of a net that was trained without labels: a training has its own.
        **said: What ``import_net`` is told of a peer's tensors.

    Raises:
        WeightsError: There are none, they cannot be fetched, or they make no net of ours.
    """
    try:
        return _opened(spec, said)
    except NoHeadError as error:
        if not to_train:
            raise WeightsError(
                f"weights {spec}: hold no head, so they know no classes; train one with "
                f"vitcli fit --weights {spec} --data.root photos"
            ) from error
        # one of any width, which the training leaves behind
        return _opened(spec, said | {"classes": 1})


def _opened(spec: str, said: dict[str, Any]) -> Pretrained:
    library, _, name = spec.partition(":")
    if library in LIBRARIES and name:
        return (_timm if library == "timm" else _torchvision)(spec, name, said)
    path = Path(spec)
    if not path.is_file():
        raise WeightsError(
            f"--weights {spec}: no such file; name a safetensors or torch file, timm:NAME or torchvision:NAME"
        )
    if path.suffix == ".ckpt":
        return _checkpoint(spec)
    metadata = read_metadata(path)
    classes, preprocess = metadata.get("classes"), metadata.get("preprocess") or {}
    if (
        not isinstance(preprocess, dict)
        or names_class(preprocess)
        or not all(map(is_flat, [classes, *preprocess.values()]))
    ):
        raise WeightsError(
            f"--weights {spec}: what it says of classes and preprocessing is not plain numbers and words, so it is "
            "not opened; use a file written by vitcli import"
        )
    preprocess.pop("size", None)
    resampling: Resampling = "torchvision" if metadata.get("source") == "torchvision" else "timm"
    return Pretrained(spec, open_net(path, **said), tuple(classes) if classes else None, preprocess, resampling)


def _checkpoint(spec: str) -> Pretrained:
    content = read_checkpoint(spec)
    settings = content["hyper_parameters"]
    net = build(settings["net"])
    try:
        net.load_state_dict(_below("net.", content["state_dict"]))
    except RuntimeError as error:
        raise WeightsError(f"--weights {spec}: its tensors do not fit its own settings") from error
    preprocess = {key: value for key, value in settings["preprocess"].items() if key != "size"}
    return Pretrained(spec, net.eval(), tuple(settings["classes"]), preprocess)


def _timm(spec: str, name: str, said: Mapping[str, Any]) -> Pretrained:
    import timm

    try:
        model = timm.create_model(name, pretrained=True)
    except Exception as error:
        raise _unavailable(spec, error) from error
    config: Any = model.pretrained_cfg
    crop = {"crop_fraction": float(config["crop_pct"]), "interpolation": str(config["interpolation"])}
    preprocess = crop | {"mean": list(config["mean"]), "std": list(config["std"])}
    net = import_net(model.state_dict(), **{"source": "timm", **_seen_in(model), **said})
    _check_alike(spec, net, model)
    return Pretrained(spec, net, imagenet() if model.num_classes == IMAGENET else None, preprocess)


def _seen_in(model: Any) -> dict[str, Any]:
    """What timm's model knows of itself and its tensors do not show; nothing of what is not built like a ViT."""
    try:
        block = model.blocks[0]
        bend = type(block.mlp.act).__name__
        tanh = getattr(block.mlp.act, "approximate", "none") == "tanh" or bend == "GELUTanh"
        return {
            "heads": int(block.attn.num_heads),
            "image_size": list(model.patch_embed.img_size),
            "norm_eps": float(block.norm1.eps),
            "activation": "quick_gelu" if "Quick" in bend else "gelu_tanh" if tanh else "gelu",
        }
    except (AttributeError, IndexError, TypeError):
        return {}


def _check_alike(spec: str, net: ViT, model: Any) -> None:
    """Nothing, if the net computes what the model does; a name stands for many things that no tensor shows."""
    images = torch.linspace(-2, 2, 3 * math.prod(net.image_size)).reshape(1, 3, *net.image_size)
    with torch.no_grad():
        net, theirs = net.float(), model.eval().float()(images)
        ours = net(images) if model.num_classes else net.pooled(net.features(images))
    difference = float((ours - theirs).abs().max() / theirs.abs().max().clamp(min=1e-6))
    if not difference < SAME:
        raise WeightsError(
            f"--weights {spec}: timm's model has the tensors of a ViT, but computes something else (logits differ by "
            f"{difference:.0e} of the largest); choose another name"
        )


def _torchvision(spec: str, name: str, said: Mapping[str, Any]) -> Pretrained:
    from torchvision.models import get_model_weights

    try:
        weights = get_model_weights(name).DEFAULT
        tensors = weights.get_state_dict(progress=True)
    except Exception as error:
        raise _unavailable(spec, error) from error
    preset = weights.transforms()
    preprocess = {
        "crop_fraction": preset.crop_size[0] / preset.resize_size[0],
        "interpolation": preset.interpolation.value,
        "mean": list(preset.mean),
        "std": list(preset.std),
    }
    classes = tuple(weights.meta["categories"])
    net = import_net(tensors, **{"source": "torchvision", **said})
    return Pretrained(spec, net, classes, preprocess, "torchvision")


def _unavailable(spec: str, error: Exception) -> WeightsError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return WeightsError(f"--weights {spec}: not to be had: {reason}; check the name and the network, or give a file")


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
