"""Weights by name, downloaded and prepared by timm or torchvision, and timm's nets; the only importer of timm."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch
from torch import Tensor

from vitcli.errors import WeightsError
from vitcli.net import ViT
from vitcli.weights.imagenet import IMAGENET, imagenet
from vitcli.weights.importer import import_net
from vitcli.weights.pretrained import Pretrained
from vitcli.weights.reach import REMEDY, SECONDS, expect_answer

# what timm calls a way to crop, and Preprocess
RESIZE = {"center": "center_crop", "squash": "squash", "border": "pad"}
# largest difference of two implementations in float32, as a fraction of the largest logit
SAME = 1e-3


def from_timm(spec: str, name: str, said: Mapping[str, Any]) -> Pretrained:
    """A net that timm knows by name, with its published weights.

    Args:
        spec: As the user typed it, for messages.
        name: What timm calls it.
        said: Arguments of ``import_net`` for its tensors.

    Raises:
        WeightsError: They cannot be fetched, or make no net of ours.
    """
    import timm

    try:
        model = _from_hub(spec, lambda: timm.create_model(name, pretrained=True))
    except WeightsError:
        raise
    except Exception as error:
        raise _unavailable(spec, error) from error
    config: Any = model.pretrained_cfg
    preprocess = _crop(spec, config) | {"mean": list(config["mean"]), "std": list(config["std"])}
    net = import_net(model.state_dict(), **{"source": "timm", **_seen_in(model), **said})
    _check_alike(spec, net, model)
    return Pretrained(spec, net, imagenet() if model.num_classes == IMAGENET else None, preprocess)


def _crop(spec: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """How timm prepares a picture for evaluation, as Preprocess says it."""
    mode, fraction = str(config.get("crop_mode") or "center"), float(config["crop_pct"])
    if mode not in RESIZE:
        raise WeightsError(f"--weights {spec}: timm's crop_mode {mode} is not known; {', '.join(RESIZE)} are")
    if mode != "center" and fraction != 1:
        warnings.warn(
            f"--weights {spec}: timm takes the middle {fraction:g} of a picture ({mode}), and here it is taken whole",
            stacklevel=2,
        )
        fraction = 1.0
    return {"resize": RESIZE[mode], "crop_fraction": fraction, "interpolation": str(config["interpolation"])}


def built_by_timm(
    architecture: str, args: Mapping[str, Any], norm_eps: float, tensors: Mapping[str, Tensor]
) -> torch.nn.Module:
    """A net of timm's own, strictly loaded with tensors, in eval mode.

    Args:
        architecture: As timm calls it.
        args: What timm.create_model is told besides.
        norm_eps: Added to the variance in all norms.
        tensors: Under timm's names.
    """
    import timm

    model: torch.nn.Module = timm.create_model(
        architecture, pretrained=False, norm_layer=partial(torch.nn.LayerNorm, eps=norm_eps), **args
    )
    model.load_state_dict(tensors, strict=True)
    return model.eval()


def _from_hub(spec: str, load: Callable[[], Any]) -> Any:
    """What is loaded from the hub's cache, where no host is asked; else from the hub, if it can be reached.

    Left alone, huggingface_hub asks for each file six times, with pauses, and waits up to a minute for an answer. Its
    own HF_HUB_ETAG_TIMEOUT says how many seconds are waited here.
    """
    from huggingface_hub import constants, get_session
    from huggingface_hub.errors import LocalEntryNotFoundError

    cache = Path(constants.HF_HUB_CACHE)
    try:
        with _offline():
            return load()
    except LocalEntryNotFoundError as missing:
        if constants.HF_HUB_OFFLINE:
            raise WeightsError(
                f"--weights {spec}: HF_HUB_OFFLINE is set, and {cache} does not hold them; unset it, {REMEDY}"
            ) from missing

    def ask(timeout: float) -> int:
        # with the hub's own session, which knows proxies and certificates
        return int(get_session().head(constants.ENDPOINT, timeout=timeout).status_code)

    seconds = constants.HF_HUB_ETAG_TIMEOUT if "HF_HUB_ETAG_TIMEOUT" in os.environ else SECONDS
    expect_answer(spec, constants.ENDPOINT, cache, ask, seconds)
    return load()


@contextmanager
def _offline() -> Iterator[None]:
    from huggingface_hub import constants

    said = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = said


def _seen_in(model: Any) -> dict[str, Any]:
    """What timm's model says of itself and its tensors do not show; empty for a model that is not built like a ViT."""
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
    """Check that the net computes what the model does; its tensors do not show everything."""
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


def from_torchvision(spec: str, name: str, said: Mapping[str, Any]) -> Pretrained:
    """A net that torchvision knows by name, with its default weights; arguments and errors are those of from_timm."""
    from torchvision.models import get_model_weights  # type: ignore[import-untyped]

    try:
        weights = get_model_weights(name).DEFAULT
        cache = Path(torch.hub.get_dir(), "checkpoints")
        if not (cache / Path(urlsplit(weights.url).path).name).exists():
            expect_answer(spec, weights.url, cache)
        tensors = weights.get_state_dict(progress=True)
    except WeightsError:
        raise
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
    return WeightsError(f"--weights {spec}: cannot be fetched: {reason}; check name and network, or give a file")
