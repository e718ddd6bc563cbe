"""vit-pytorch's ViT, SimpleViT, and efficient.ViT around a Linformer: their names by version, and moved tensors."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import torch
from torch import Tensor

from vitcli.errors import WeightsError
from vitcli.weights.tables.table import Found, Source, Wanted, pair, rename, say

OURS = "backend.blocks.#."
TABLE = {
    "cls_token": "class_token",
    "pos_embedding": "pos_embed",
    # ViT since 1.16, SimpleViT
    "transformer.layers.#.0.norm.*": f"{OURS}norm1.*",
    "transformer.layers.#.0.to_qkv.*": f"{OURS}attention.qkv.*",
    "transformer.layers.#.0.to_out.0.*": f"{OURS}attention.proj.*",
    "transformer.layers.#.0.to_out.*": f"{OURS}attention.proj.*",
    "transformer.layers.#.1.net.0.*": f"{OURS}norm2.*",
    "transformer.layers.#.1.net.1.*": f"{OURS}mlp.fc1.*",
    "transformer.layers.#.1.net.3.*": f"{OURS}mlp.fc2.*",
    "transformer.layers.#.1.net.4.*": f"{OURS}mlp.fc2.*",
    # before, each layer was wrapped in a norm
    "transformer.layers.#.0.fn.to_qkv.*": f"{OURS}attention.qkv.*",
    "transformer.layers.#.0.fn.to_out.0.*": f"{OURS}attention.proj.*",
    "transformer.layers.#.1.norm.*": f"{OURS}norm2.*",
    "transformer.layers.#.1.fn.net.0.*": f"{OURS}mlp.fc1.*",
    "transformer.layers.#.1.fn.net.3.*": f"{OURS}mlp.fc2.*",
    # the linformer package inside efficient.ViT
    "transformer.net.layers.#.0.norm.*": f"{OURS}norm1.*",
    "transformer.net.layers.#.0.fn.to_q.*": f"{OURS}attention.to_q.*",
    "transformer.net.layers.#.0.fn.to_k.*": f"{OURS}attention.to_k.*",
    "transformer.net.layers.#.0.fn.to_v.*": f"{OURS}attention.to_v.*",
    "transformer.net.layers.#.0.fn.proj_k": f"{OURS}attention.project_keys",
    "transformer.net.layers.#.0.fn.proj_v": f"{OURS}attention.project_values",
    "transformer.net.layers.#.0.fn.to_out.*": f"{OURS}attention.proj.*",
    "transformer.net.layers.#.1.norm.*": f"{OURS}norm2.*",
    "transformer.net.layers.#.1.fn.w1.*": f"{OURS}mlp.fc1.*",
    "transformer.net.layers.#.1.fn.w2.*": f"{OURS}mlp.fc2.*",
    "transformer.norm.*": "norm.*",
    "mlp_head.0.*": "norm.*",
    "mlp_head.1.*": "head.*",
    "mlp_head.*": "head.*",
    "linear_head.*": "head.*",
}
NORMED = {
    "to_patch_embedding.1.*": "patches.norm_in.*",
    "to_patch_embedding.2.*": "patches.proj.*",
    "to_patch_embedding.3.*": "patches.norm_out.*",
}
PLAIN = {"to_patch_embedding.1.*": "patches.proj.*"}


def convert(tensors: Mapping[str, Tensor], wanted: Wanted) -> Found:
    """The names changed, q, k and v stacked, and the pixels of a patch brought from (height, width, colour) to ours.

    Without a class token the mean is taken; without a table of positions they are SimpleViT's.
    """
    first = tensors.get("to_patch_embedding.1.weight")
    # before 1.0.2 the patches had no norms, and the first numbered layer was the dense one
    found = rename(tensors, TABLE | (PLAIN if first is not None and first.dim() == 2 else NORMED), "vit_pytorch")
    ours = found.tensors
    for name in ("class_token", "pos_embed"):
        if name in ours and ours[name].dim() == 2:
            ours[name] = ours[name].unsqueeze(0)
    if "class_token" in ours and not ours["class_token"].numel():
        del ours["class_token"]
    _stack(found)
    _unfold(found, wanted)
    found.facts["final_norm"] = "after_pool" if "mlp_head.0.weight" in tensors else "before_pool"
    found.facts["positions"] = "sincos"
    if "backend.blocks.0.attention.proj.weight" not in ours:
        found.facts["heads"] = 1
    return found


def _stack(found: Found) -> None:
    for query in [name for name in found.tensors if ".to_q." in name]:
        parts = [query.replace(".to_q.", word) for word in (".to_q.", ".to_k.", ".to_v.")]
        held = [part for part in parts if part in found.tensors]
        stacked = query.replace(".to_q.", ".qkv.")
        found.names[stacked] = found.at(query)
        found.tensors[stacked] = torch.cat([found.tensors.pop(part) for part in held])


def _unfold(found: Found, wanted: Wanted) -> None:
    weight = found.tensors.get("patches.proj.weight")
    if weight is None or weight.dim() != 2:
        return
    dim, pixels = weight.shape
    if wanted.patch_size is not None:
        height, width = pair(wanted.patch_size)
        channels = pixels // max(1, height * width)
    else:
        channels = wanted.channels or 3
        height = width = math.isqrt(pixels // channels)
    if channels * height * width != pixels:
        raise WeightsError(
            f"weights: {found.at('patches.proj.weight')} takes {pixels} numbers a patch, which are not {channels} "
            f"colours of {height} x {width} pixels; {say('patch_size', '[height, width]')}, or channels="
        )
    found.tensors["patches.proj.weight"] = weight.reshape(dim, height, width, channels).permute(0, 3, 1, 2)
    for name in [name for name in found.tensors if re.match(r"patches\.norm_in\.", name)]:
        found.tensors[name] = found.tensors[name].reshape(height, width, channels).permute(2, 0, 1).flatten()


VIT_PYTORCH = Source(
    "vit_pytorch", r"to_patch_embedding\.|transformer\.(net\.)?layers\.", convert, norm_eps=1e-5, resampling="timm"
)
