"""Tables of names: which tensor of a peer is which of ours, and what a net must be to hold them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from vitcli.errors import NoHeadError, WeightsError

# heads by width, in the published nets of timm and torchvision, from Ti to g
PUBLISHED_HEADS = {192: 3, 384: 6, 768: 12, 1024: 16, 1280: 16, 1408: 16}
WRAPPERS = ("state_dict", "model")
PREFIXES = re.compile(r"^(?:(?:module|model|net|_orig_mod)\.)+")
SHOWN = 8
# of the tensors whose shapes are read
DIMENSIONS = {
    "patches.proj.weight": 4, "pos_embed": 3, "register_tokens": 3, "pre_logits.weight": 2, "head.weight": 2,
    "qkv.weight": 2, "q_norm.weight": 1, "proj.weight": 2, "fc1.weight": 2, "project_keys": 2,
}  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """What the caller says about a net because its tensors cannot; none where nothing is said."""

    heads: int | None = None
    image_size: int | Sequence[int] | None = None
    patch_size: int | Sequence[int] | None = None
    pool: str | None = None
    norm_eps: float | None = None
    activation: str | None = None
    classes: int | None = None
    channels: int | None = None


@dataclass
class Found:
    """A peer's tensors under our names, the name that each had, and settings that no tensor's shape shows."""

    tensors: dict[str, Tensor]
    names: dict[str, str]
    facts: dict[str, Any] = field(default_factory=dict)

    def at(self, name: str) -> str:
        """A tensor of ours as its owner calls it."""
        return self.names.get(name, name)


@dataclass(frozen=True)
class Source:
    """A library whose weights are read.

    Args:
        name: As the user types it.
        mark: A pattern that one of its tensor names, and no other library's, matches.
        convert: Its tensors as ours.
        norm_eps: What its norms add to the variance.
        resampling: How it brings positions onto another grid.
    """

    name: str
    mark: str
    convert: Callable[[Mapping[str, Tensor], Wanted], Found]
    norm_eps: float
    resampling: str

    def wrote(self, tensors: Mapping[str, Tensor]) -> bool:
        """Whether these tensors carry its names."""
        return any(re.match(self.mark, name) for name in tensors)


def unwrap(state_dict: Mapping[str, Any], of: str = "weights") -> dict[str, Tensor]:
    """The tensors of a state dict, out of their wrappers (model, state_dict) and without module., model., net.

    Args:
        state_dict: The state dict.
        of: Whose it is, for messages.

    Raises:
        WeightsError: Something else than tensors under names, or two tensors that get the same name.
    """
    inner: Any = state_dict
    while isinstance(inner, Mapping) and (
        key := next((key for key in WRAPPERS if isinstance(inner.get(key), Mapping)), "")
    ):
        inner = inner[key]
    if not isinstance(inner, Mapping) or not inner:
        held = "" if isinstance(inner, Mapping) else f", but a {type(inner).__name__}"
        raise WeightsError(f"{of}: hold no tensors{held}; a state dict is needed")
    tensors: dict[str, Tensor] = {}
    for key, value in inner.items():
        if not isinstance(value, Tensor) or not isinstance(key, str):
            raise WeightsError(f"{of}: {str(key)[:100]} is no tensor, but a {type(value).__name__}; give a state dict")
        name = PREFIXES.sub("", key).replace("_orig_mod.", "")
        if name in tensors:
            raise WeightsError(f"{of}: two tensors are called {name} once their prefixes are taken off")
        tensors[name] = value
    return tensors


def rename(tensors: Mapping[str, Tensor], table: Mapping[str, str], source: str) -> Found:
    """Every tensor under our name; in the table, # stands for a layer and * for weight or bias.

    Raises:
        WeightsError: Tensors that the table does not know, or two that it takes for one.
    """
    patterns = {re.compile(re.escape(theirs).replace(r"\#", r"(\d+)").replace(r"\*", "(weight|bias)")): ours
                for theirs, ours in table.items()}  # fmt: skip
    found, unknown = Found({}, {}), []
    for name, tensor in tensors.items():
        match, ours = next(
            ((match, ours) for pattern, ours in patterns.items() if (match := pattern.fullmatch(name))), (None, "")
        )
        if match is None:
            unknown.append(name)
            continue
        for part in match.groups():
            ours = re.sub(r"[#*]", part, ours, count=1)
        if ours in found.tensors:
            raise WeightsError(
                f"weights: {name} and {found.at(ours)} are the same tensor of a ViT; this is another kind of net"
            )
        found.tensors[ours], found.names[ours] = tensor, name
    if unknown:
        raise WeightsError(f"weights: no ViT of {source} has {listed(unknown)}; this is another kind of net")
    return found


def listed(names: Sequence[str]) -> str:
    """The first of many names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def say(key: str, value: str = "") -> str:
    """The remedy where something must be said, for those who call import_net and for those who type a command."""
    return f"say {key}={value} (vitcli import has --{key})"


def describe(found: Found, wanted: Wanted, source: Source) -> dict[str, Any]:
    """The settings of the net that these tensors are.

    Raises:
        WeightsError: What was said contradicts a tensor, or something must be said.
    """
    tensors, facts = found.tensors, dict(found.facts)
    for name in ("patches.proj.weight", "backend.blocks.0.attention.qkv.weight", "backend.blocks.0.mlp.fc1.weight"):
        if name not in tensors:
            raise WeightsError(
                f"weights: lack {name}, which every ViT of {source.name} has under a name of its own; the file is not "
                "whole, or of another kind of net"
            )
    for name, tensor in tensors.items():
        if tensor.dim() != (
            dimensions := next((n for end, n in DIMENSIONS.items() if name.endswith(end)), tensor.dim())
        ):
            raise WeightsError(
                f"weights: {found.at(name)} of shape {list(tensor.shape)} should have {dimensions} dimensions"
            )
    dim, channels, *patch_size = tensors["patches.proj.weight"].shape
    _agree(found, "patches.proj.weight", "patch_size", wanted.patch_size, patch_size)
    _agree(found, "patches.proj.weight", "channels", wanted.channels, channels)
    registers = tensors["register_tokens"].shape[1] if "register_tokens" in tensors else 0
    class_token = "class_token" in tensors
    image_size, positions = _grid(found, wanted, patch_size, int(class_token) + registers)
    pool = wanted.pool or facts.pop("pool", "cls" if class_token else "mean")
    if pool == "cls" and not class_token:
        raise WeightsError(f"weights: pool cls, but there is no class token among the tensors; {say('pool', 'mean')}")
    if "head.weight" not in tensors and wanted.classes is None:
        raise NoHeadError("weights: hold no head; say classes= for a fresh one of so many logits")
    classes = tensors["head.weight"].shape[0] if "head.weight" in tensors else wanted.classes
    _agree(found, "head.weight", "classes", wanted.classes, classes)
    norm_eps = source.norm_eps if wanted.norm_eps is None else wanted.norm_eps
    return {
        "image_size": image_size,
        "patch_size": patch_size,
        "channels": channels,
        "dim": dim,
        "pool": pool,
        "norm_eps": norm_eps,
        "backend": _backend(found, wanted, dim, norm_eps),
        "classes": classes,
        "class_token": class_token,
        "registers": registers,
        "positions": positions,
        "patch_bias": "patches.proj.bias" in tensors,
        "patch_norm": "patches.norm_in.weight" in tensors,
        "pre_norm": "pre_norm.weight" in tensors,
        "final_norm": facts.get("final_norm", "before_pool") if "norm.weight" in tensors else "none",
        "pre_logits": tensors["pre_logits.weight"].shape[0] if "pre_logits.weight" in tensors else None,
    }


def _grid(found: Found, wanted: Wanted, patch_size: Sequence[int], prefix: int) -> tuple[list[int], str]:
    table = found.tensors.get("pos_embed")
    rows = None if table is None else table.shape[-2]
    if wanted.image_size is not None:
        image_size = pair(wanted.image_size)
        patches = math.prod(side // patch for side, patch in zip(image_size, patch_size, strict=True))
        if rows not in (None, patches, patches + prefix):
            raise WeightsError(
                f"weights: image_size {wanted.image_size} makes {patches} patches, but {found.at('pos_embed')} has "
                f"{rows} rows; leave image_size to the tensors, and resample onto another grid afterwards"
            )
    elif rows is None:
        raise WeightsError(f"weights: no tensor shows the image's size; {say('image_size')}")
    else:
        patches = next(
            (number for number in (rows - prefix, rows) if number > 0 and math.isqrt(number) ** 2 == number), 0
        )
        if not patches:
            raise WeightsError(
                f"weights: {found.at('pos_embed')} has {rows} rows, which is no square grid of patches after a "
                f"prefix of {prefix}; {say('image_size', '[height, width]')}"
            )
        image_size = [math.isqrt(patches) * patch for patch in patch_size]
    if rows is None:
        return image_size, found.facts.get("positions", "none")
    return image_size, "learned" if rows == patches + prefix else "learned_patches"


def _backend(found: Found, wanted: Wanted, dim: int, norm_eps: float) -> dict[str, Any]:
    tensors = found.tensors
    depth = 1 + max(int(match[1]) for name in tensors if (match := re.match(r"backend\.blocks\.(\d+)\.", name)))
    block = "backend.blocks.0."
    rows = tensors[f"{block}attention.qkv.weight"].shape[0]
    proj = tensors.get(f"{block}attention.proj.weight")
    inner = rows // 3 if proj is None else proj.shape[1]
    settings: dict[str, Any] = {
        "depth": depth,
        "mlp_ratio": ratio(tensors[f"{block}mlp.fc1.weight"].shape[0], dim),
        "qkv_bias": f"{block}attention.qkv.bias" in tensors,
        "norm_eps": norm_eps,
        "out_proj": "none" if proj is None else "biased" if f"{block}attention.proj.bias" in tensors else "unbiased",
        "qk_norm": f"{block}attention.q_norm.weight" in tensors,
        "activation": wanted.activation or "gelu",
        "layer_scale": 1.0 if f"{block}scale1" in tensors else None,
    }
    head_dim = tensors[f"{block}attention.q_norm.weight"].shape[0] if settings["qk_norm"] else None
    linformer = f"{block}attention.project_keys" in tensors
    if linformer:
        tie = f"{block}attention.project_values" not in tensors
        width = (rows - inner) // (1 if tie else 2)
        head_dim = width if width != inner else head_dim
        each = [tensors[f"backend.blocks.{index}.attention.project_keys"].shape[1] for index in range(depth)
                if f"backend.blocks.{index}.attention.project_keys" in tensors]  # fmt: skip
        settings |= {"k": each[0] if len(set(each)) == 1 else each, "tie_kv": tie, "one_kv_head": width != inner}
    settings["heads"] = heads = _heads(found, wanted, inner, head_dim)
    settings["head_dim"] = None if heads * (dim // heads) == dim == inner else inner // heads
    return {"class_path": f"vitcli.net.{'Linformer' if linformer else 'VanillaTransformer'}", "init_args": settings}


def _heads(found: Found, wanted: Wanted, inner: int, head_dim: int | None) -> int:
    name = found.at("backend.blocks.0.attention.qkv.weight")
    if head_dim is not None and inner % head_dim == 0:
        shown = inner // head_dim
        if wanted.heads not in (None, shown):
            raise WeightsError(
                f"weights: heads {wanted.heads}, but {name} and its heads of {head_dim} features show {shown}"
            )
        return shown
    heads = wanted.heads or found.facts.get("heads")
    if heads is None:
        raise WeightsError(f"weights: {name} does not show how many heads share its {inner} features; {say('heads')}")
    if heads < 1 or inner % heads:
        raise WeightsError(f"weights: heads {heads} do not divide the {inner} features of {name}")
    return int(heads)


def _agree(found: Found, name: str, key: str, said: Any, shown: Any) -> None:
    if said is not None and (pair(said) if isinstance(shown, list) else said) != shown:
        shape = list(found.tensors[name].shape)
        raise WeightsError(
            f"weights: {key} {said}, but {found.at(name)} of shape {shape} shows {shown}; leave {key} out"
        )


def pair(size: int | Sequence[int]) -> list[int]:
    """Height and width."""
    return [size, size] if isinstance(size, int) else list(size)


def ratio(hidden: int, dim: int) -> float:
    """The mlp_ratio whose product with dim, rounded down, is hidden."""
    plain = hidden / dim
    return plain if int(dim * plain) == hidden else (hidden + 0.5) / dim
