"""load_into: start a net from another one's tensors, matched by name, and report what was loaded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import torch
from torch import Tensor

from vitcli.errors import WeightsError
from vitcli.net import Linformer, LinformerAttention, VanillaTransformer, ViT, resample
from vitcli.net.resample import PROJECTIONS, Resampling
from vitcli.net.transformer.stack import Stack
from vitcli.net.vit import HEAD
from vitcli.weights.importer import imported
from vitcli.weights.tables.table import listed

# tensor shapes do not show these, and another value computes another function
HIDDEN = ("norm_eps", "positions", "stem")
# these show in them, and must be the same too
SHAPING = ("patch_size", "channels", "class_token", "registers", "patch_bias", "patch_norm", "pre_norm")
# and these, unless only what is pooled is another
POOLING = ("final_norm", "pool", "pool_score", "head_layers")
# settings of a backend that change no shape
SHAPELESS = ("dropout", "stochastic_depth", "activation_checkpointing", "norm_eps", "activation")
HIDDEN_BACKEND = ("heads", "head_dim", "activation", "norm_eps", "projection", "project_prefix", "tie_kv")


@dataclass(frozen=True)
class Report:
    """What came of loading one net's tensors into another; its str is one line.

    Args:
        loaded: Number of tensors taken over, the resampled among them.
        resampled: Names of those brought onto another grid.
        begun: Names of projections that were initialised as average pooling, as the source had none.
        fresh: Names of tensors left as they were.
        notes: What else changed.
    """

    loaded: int
    resampled: tuple[str, ...] = ()
    begun: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """What happened, in one line."""
        parts = [f"{self.loaded} tensors loaded"]
        for names, what in (
            (self.resampled, "resampled"),
            (self.begun, "initialised as averages"),
            (self.fresh, "left fresh"),
        ):
            if names:
                parts.append(f"{what}: {', '.join(shortened(names))}")
        return "; ".join([*parts, *self.notes])


def load_into(
    net: ViT,
    source: ViT | Mapping[str, Any],
    *,
    resampling: Resampling | None = None,
    head: bool = True,
    **said: Any,
) -> Report:
    """Start a net from another's tensors, matched by name.

    Positions and Linformer projections are brought onto the net's grid; a head of another class count is left fresh.
    Full attention may start a Linformer: projections begin as averages over cells of the grid, and key biases at
    zero, which have no effect in full attention but do in a projection.

    Args:
        net: The net to start.
        source: A net, or a peer's state dict.
        resampling: Whose way of resampling positions, timm or torchvision; default: the state dict's owner's, or timm.
        head: Whether the head is taken over where it fits.
        **said: Arguments of import_net for a state dict.

    Raises:
        WeightsError: The nets are not alike, or as import_net raises it.
    """
    if not isinstance(source, ViT):
        source, origin = imported(source, **said)
        way: Any = resampling or origin.resampling
    else:
        way = resampling or "timm"
    if way not in get_args(Resampling):
        raise WeightsError(f"weights: no resampling {way!r}; choose {' or '.join(get_args(Resampling))}")
    _expect_alike(net, source)
    held = net.state_dict()
    given = resample(source.state_dict(), source.grid, net.grid, way)
    if not head or any(
        name in held and held[name].shape != given[name].shape for name in given if name.startswith(HEAD)
    ):
        given = {name: tensor for name, tensor in given.items() if not name.startswith(HEAD)}
    begun = _warm(net, source, given)
    surplus = [name for name in given if name not in held and not name.startswith(HEAD)]
    if surplus:
        why = f"weights: {listed(shortened(surplus))} of the source have no place in this net"
        raise WeightsError(_differing(net, source) or why)
    for name, tensor in given.items():
        if name in held and tensor.shape != held[name].shape:
            why = f"weights: {name} is of shape {list(tensor.shape)}, but this net has {list(held[name].shape)}"
            raise WeightsError(_differing(net, source) or why)
    taken = {name: tensor for name, tensor in given.items() if name in held}
    net.load_state_dict(held | taken)
    moved = source.grid != net.grid
    return Report(
        loaded=len(taken) - len(begun),
        resampled=tuple(
            name
            for name in taken
            if moved and name not in begun and (name == "pos_embed" or name.endswith(PROJECTIONS))
        ),
        begun=begun,
        fresh=tuple(name for name in held if name not in taken),
        notes=_notes(net, source),
    )


def shortened(names: Iterable[str]) -> list[str]:
    """Each name once, whatever its layer."""
    return list(dict.fromkeys(re.sub(r"\.\d+\.", ".*.", name) for name in names))


def _expect_alike(net: ViT, source: ViT) -> None:
    for key, ours, theirs in (("model.net", net, source), ("model.net.backend", net.backend, source.backend)):
        if isinstance(ours, Stack) != isinstance(theirs, Stack):
            raise WeightsError(
                f"model.net.backend {type(net.backend).__name__}: the weights are of {type(source.backend).__name__}"
            )
        # the width first, for that of a head follows from it
        for name in ("dim", *HIDDEN) if ours is net else HIDDEN_BACKEND:
            # a head's width is dim / heads unless it is given: compare what it comes to
            attribute = "width" if name == "head_dim" and isinstance(ours, Stack) else name
            mine, others = getattr(ours, attribute, None), getattr(theirs, attribute, None)
            if mine != others and hasattr(ours, attribute) and hasattr(theirs, attribute):
                raise WeightsError(_told(f"{key}.{name}", mine, others))


def _differing(net: ViT, source: ViT) -> str:
    """The first setting, of those that shape tensors, that is another than the weights'; empty if none is."""
    ours, theirs = net.settings(), source.settings()
    for key in SHAPING:
        if ours[key] != theirs[key]:
            return _told(f"model.net.{key}", ours[key], theirs[key])
    if type(net.backend) is not type(source.backend):
        kind, other = type(net.backend).__name__, type(source.backend).__name__
        if not _is_warm(net, source):
            return f"model.net.backend {kind}: cannot begin with the weights of {other}; set model.net.backend {other}"
    mine, others = net.backend.settings(), source.backend.settings()
    for key in mine:
        is_same = mine[key] == others.get(key, mine[key])
        if key == "layer_scale":
            is_same = (mine[key] is None) == (others[key] is None)
        if key not in SHAPELESS and not is_same:
            return _told(f"model.net.backend.{key}", mine[key], others[key])
    # what a Linformer has alone
    for key in ("tie_kv", "one_kv_head"):
        if key in mine and key not in others and mine[key]:
            return _told(f"model.net.backend.{key}", True, False)
    for key in POOLING:
        if ours[key] != theirs[key]:
            return _told(f"model.net.{key}", ours[key], theirs[key])
    return ""


def _told(key: str, ours: Any, theirs: Any) -> str:
    said, other = (json.dumps(value).strip('"') for value in (ours, theirs))
    return f"{key} {said}: the weights were made with {other}; set {key} {other}"


def _is_warm(net: ViT, source: ViT) -> bool:
    return isinstance(net.backend, Linformer) and isinstance(source.backend, VanillaTransformer)


def _warm(net: ViT, source: ViT, given: dict[str, Tensor]) -> tuple[str, ...]:
    backend = net.backend
    if not (_is_warm(net, source) and isinstance(backend, Linformer)):
        return ()
    begun = []
    for name, weight in backend.state_dict().items():
        if name.endswith(PROJECTIONS):
            layer = re.match(r"blocks\.(\d+)\.", name)
            attention = backend.get_submodule(f"blocks.{layer[1] if layer else 0}.attention")
            assert isinstance(attention, LinformerAttention)
            begun.append(f"backend.{name}")
            given[f"backend.{name}"] = attention.mixer.average(weight)
    if not backend.qk_norm:
        inner = backend.heads * backend.width
        for name in [name for name in given if name.endswith("attention.qkv.bias")]:
            keys = torch.zeros_like(given[name][inner : 2 * inner])
            given[name] = torch.cat([given[name][:inner], keys, given[name][2 * inner :]])
    return tuple(begun)


def _notes(net: ViT, source: ViT) -> tuple[str, ...]:
    notes = []
    if source.grid != net.grid:
        notes.append("grid {} x {} -> {} x {}".format(*source.grid, *net.grid))
    if _is_warm(net, source) and net.backend.settings()["qkv_bias"] and not net.backend.settings()["qk_norm"]:
        notes.append("key biases set to zero")
    for name in ("pool", "final_norm"):
        if getattr(net, name) != getattr(source, name):
            notes.append(f"{name} {getattr(source, name)} -> {getattr(net, name)}")
    return tuple(notes)
