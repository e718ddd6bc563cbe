"""import_net: a peer's state dict as a net of ours that computes the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from vitcli.errors import ConfigError, WeightsError
from vitcli.net import ViT, build
from vitcli.weights.tables.table import Found, Source, Wanted, describe, listed, unwrap
from vitcli.weights.tables.timm import TIMM
from vitcli.weights.tables.torchvision import TORCHVISION
from vitcli.weights.tables.vit_pytorch import VIT_PYTORCH

SOURCES = {source.name: source for source in (TIMM, TORCHVISION, VIT_PYTORCH)}
# what acts in training only, so no tensor shows it
TRAINING = ("dropout", "head_dropout")
TRAINING_BACKEND = ("attention_dropout", "stochastic_depth", "activation_checkpointing")


def import_net(
    state_dict: Mapping[str, Any],
    *,
    source: str = "auto",
    heads: int | None = None,
    image_size: int | Sequence[int] | None = None,
    patch_size: int | Sequence[int] | None = None,
    pool: str | None = None,
    norm_eps: float | None = None,
    activation: str | None = None,
    classes: int | None = None,
    **more: Any,
) -> ViT:
    """The net of a peer's state dict, in evaluation mode, computing what the peer computes.

    What the tensors show is read from them; the rest is said, or is the source's default. Double precision stays,
    anything else becomes float32.

    Args:
        state_dict: Tensors under the peer's names; in model or state_dict, behind module., model. or net. as well.
        source: timm, torchvision, vit_pytorch (with the linformer package inside, too), or auto.
        heads: Number of attention heads; default: as published for this width (timm, torchvision).
        image_size: Side of the images, or height and width, in pixels; default: a square grid.
        patch_size: Side of a patch, or height and width, in pixels; shown by a convolution, square by default else.
        pool: cls, mean or mean_patches; default: mean_patches for timm with fc_norm or without class token, mean for
            vit_pytorch without class token, else cls.
        norm_eps: Added to the variance in the norms; default: 1e-6, for vit_pytorch 1e-5.
        activation: gelu (the default), gelu_tanh or quick_gelu.
        classes: Number of logits; needed only where the tensors hold no head.
        **more: channels (3 where a dense patch layer hides it), and what acts in training only: dropout, head_dropout,
            attention_dropout, stochastic_depth, activation_checkpointing.

    Raises:
        WeightsError: Tensors of another source or net, something said that a tensor contradicts, or something that
            must be said.
    """
    net, _ = imported(
        state_dict, source=source, heads=heads, image_size=image_size, patch_size=patch_size, pool=pool,
        norm_eps=norm_eps, activation=activation, classes=classes, **more,
    )  # fmt: skip
    return net


def imported(state_dict: Mapping[str, Any], *, source: str = "auto", **said: Any) -> tuple[ViT, Source]:
    """The net, and where it came from; arguments and errors are import_net's."""
    tensors = unwrap(state_dict)
    training = {name: said.pop(name) for name in (*TRAINING, *TRAINING_BACKEND) if name in said}
    unknown = [name for name in said if name not in Wanted.__dataclass_fields__]
    if unknown:
        raise WeightsError(
            f"weights: import knows no {', '.join(unknown)}; it has {', '.join(Wanted.__dataclass_fields__)}"
        )
    wanted = Wanted(**said)
    chosen = recognised(tensors, source)
    found = chosen.convert(tensors, wanted)
    settings = describe(found, wanted, chosen)
    settings |= {name: value for name, value in training.items() if name in TRAINING}
    inner = settings["backend"]["init_args"]
    inner |= {name: value for name, value in training.items() if name in TRAINING_BACKEND}
    if "dropout" in training:
        inner["dropout"] = training["dropout"]
    try:
        net = build(settings)
    except ConfigError as error:
        raise WeightsError(f"weights: these tensors make no net: {error}") from error
    fill(net, found)
    return net.eval(), chosen


def recognised(tensors: Mapping[str, Tensor], source: str) -> Source:
    """The source by its name, or by the names of its tensors.

    Raises:
        WeightsError: No such source, or the tensors are not from it.
    """
    wrote = next((each for each in SOURCES.values() if each.wrote(tensors)), None)
    if source == "auto" and wrote is not None:
        return wrote
    if source not in (*SOURCES, "auto"):
        raise WeightsError(f"weights: no source {source!r}; choose auto, {', '.join(SOURCES)}")
    if wrote is None:
        ours = "patches.proj.weight" in tensors
        known = (
            "these are vitcli's own tensors; open the file they came from, and let a checkpoint's name end in .ckpt"
            if ours
            else "it is another kind of net"
        )
        raise WeightsError(
            f"weights: {listed(list(tensors)[:3])} are no names of a ViT of {', '.join(SOURCES)}; {known}"
        )
    if wrote.name != source:
        raise WeightsError(
            f"weights: source {source}, but these are names of {wrote.name}: {listed(list(tensors)[:3])}"
        )
    return wrote


def fill(net: ViT, found: Found) -> None:
    """Put every tensor into its place.

    Raises:
        WeightsError: One is missing, too many, of another shape, or holds what is no finite real number.
    """
    held = net.state_dict()
    headless = () if "head.weight" in found.tensors else ("head.weight", "head.bias")
    missing = [name for name in held if name not in found.tensors and name not in headless]
    if missing:
        raise WeightsError(f"weights: lack {listed(missing)}, which the other tensors require")
    surplus = [found.at(name) for name in found.tensors if name not in held]
    if surplus:
        raise WeightsError(f"weights: {listed(surplus)} have no place in the net of the other tensors")
    for name, tensor in found.tensors.items():
        if tensor.shape != held[name].shape:
            raise WeightsError(
                f"weights: {found.at(name)} is of shape {list(tensor.shape)}, but the others require "
                f"{list(held[name].shape)}"
            )
        if not tensor.is_floating_point():
            raise WeightsError(
                f"weights: {found.at(name)} holds {str(tensor.dtype).removeprefix('torch.')}, not floating-point "
                "numbers; give the weights as they were before they were quantised or converted"
            )
        # the sum first, which is ten times as fast
        if not tensor.sum(dtype=torch.float64).isfinite() and not tensor.isfinite().all():
            raise WeightsError(
                f"weights: {found.at(name)} holds nan or inf: the training that made them failed, or the file is "
                "damaged; take an earlier checkpoint"
            )
    if any(tensor.dtype == torch.float64 for tensor in found.tensors.values()):
        net.double()
    net.load_state_dict({name: found.tensors.get(name, tensor) for name, tensor in net.state_dict().items()})
