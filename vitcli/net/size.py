"""Size of a net by its settings, without building it: the numbers that its file has to hold, and those it computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from vitcli.net.limits import sides
from vitcli.net.stem import plan


@final
@dataclass(frozen=True, slots=True)
class Size:
    """Counts of numbers (float32, as a rule).

    Args:
        kept: Parameters, at least; biases, norms and tables of a few rows are left out.
        computed: Of the largest table that is no parameter, but made when the net is built.
        pixels: Of an image.
        layers: Of the backend.
    """

    kept: int
    computed: int
    pixels: int
    layers: int


def size_of(net: Mapping[str, Any], backend: Mapping[str, Any] | None) -> Size:
    """The size of a net; a negative setting, which the constructors refuse, makes up for nothing.

    Args:
        net: All arguments of the ViT, none left out.
        backend: Likewise of a VanillaTransformer or a Linformer; None for any other, of which nothing is known.

    Raises:
        ConfigError: A side below 1 pixel.
    """
    height, width = sides("model.net.image_size", net["image_size"])
    patch_height, patch_width = sides("model.net.patch_size", net["patch_size"])
    dim, grid = max(0, net["dim"]), (height // patch_height) * (width // patch_width)
    tokens = grid + int(net["class_token"]) + max(0, net["registers"])
    rows = {"learned": tokens, "learned_patches": grid}.get(net["positions"], 0)
    kept = dim * rows + _stem(net["stem"], patch_height, patch_width, max(0, net["channels"]), dim)
    pooled = dim * max(0, net["head_layers"]) * (2 if net["pool"] == "cls_mean" else 1)
    out = pooled if net["pre_logits"] is None else max(0, net["pre_logits"])
    kept += max(0, net["classes"]) * out + (0 if net["pre_logits"] is None else pooled * out)
    computed = grid * dim if net["positions"] == "sincos" else 0
    layers = 0
    if backend is not None:
        layers = max(0, backend["depth"])
        kept += layers * _layer(dim, backend)
        projected = tokens if backend.get("project_prefix") else grid
        kept += projected * _mixtures(layers, backend)
        if backend.get("proj_init") == "avgpool" and backend["projection"] == "linear":
            # the pooling of one-hot maps
            computed = max(computed, grid * grid)
    return Size(kept, computed, height * width, layers)


def _stem(stem: str, height: int, width: int, channels: int, dim: int) -> int:
    """Numbers of what makes tokens of patches of so many pixels."""
    if stem != "conv" or height != width or height & (height - 1):
        return dim * channels * height * width
    layers = list(plan(height, channels, dim))
    return sum(inputs * outputs * side**2 for inputs, outputs, side, _ in layers) + layers[-1][1] * dim


def _layer(dim: int, backend: Mapping[str, Any]) -> int:
    heads = max(1, backend["heads"])
    head_dim = dim // heads if backend["head_dim"] is None else max(0, backend["head_dim"])
    inner = heads * head_dim
    keys = head_dim if backend.get("one_kv_head") else inner
    attention: int = dim * (inner + keys * (1 if backend.get("tie_kv") else 2))
    attention += 0 if backend["out_proj"] == "none" else inner * dim
    return attention + 2 * dim * int(dim * max(0.0, backend["mlp_ratio"]))


def _mixtures(layers: int, backend: Mapping[str, Any]) -> int:
    """Columns of all linear projections of a Linformer, at least."""
    if backend.get("projection") != "linear":
        return 0
    k = backend["k"]
    each: list[int] = [max(0, number) for number in k] if isinstance(k, tuple) else [max(0, k)] * layers
    if backend["sharing"] == "layerwise":
        return max(each, default=0)
    is_own = backend["sharing"] == "none" and not backend["one_kv_head"]
    both = 2 if backend["sharing"] in ("none", "headwise") and not backend["tie_kv"] else 1
    return sum(each) * both * (max(1, backend["heads"]) if is_own else 1)
