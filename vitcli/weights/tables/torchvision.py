"""torchvision's VisionTransformer: its names, old and new, and what its tensors do not show."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from vitcli.weights.tables.table import PUBLISHED_HEADS, Found, Source, Wanted, rename

LAYER = "encoder.layers.encoder_layer_#."
TABLE = {
    "conv_proj.*": "patches.proj.*",
    "class_token": "class_token",
    "encoder.pos_embedding": "pos_embed",
    f"{LAYER}ln_1.*": "backend.blocks.#.norm1.*",
    f"{LAYER}self_attention.in_proj_*": "backend.blocks.#.attention.qkv.*",
    f"{LAYER}self_attention.out_proj.*": "backend.blocks.#.attention.proj.*",
    f"{LAYER}ln_2.*": "backend.blocks.#.norm2.*",
    f"{LAYER}mlp.0.*": "backend.blocks.#.mlp.fc1.*",
    f"{LAYER}mlp.3.*": "backend.blocks.#.mlp.fc2.*",
    # the published files are from before the Mlp was a Sequential
    f"{LAYER}mlp.linear_1.*": "backend.blocks.#.mlp.fc1.*",
    f"{LAYER}mlp.linear_2.*": "backend.blocks.#.mlp.fc2.*",
    "encoder.ln.*": "norm.*",
    "heads.pre_logits.*": "pre_logits.*",
    "heads.head.*": "head.*",
}


def convert(tensors: Mapping[str, Tensor], wanted: Wanted) -> Found:
    """The names changed; in_proj is stacked as q | k | v already."""
    found = rename(tensors, TABLE, "torchvision")
    if "patches.proj.weight" in found.tensors:
        found.facts["heads"] = PUBLISHED_HEADS.get(found.tensors["patches.proj.weight"].shape[0])
    return found


TORCHVISION = Source("torchvision", r"conv_proj\.|encoder\.layers\.", convert, norm_eps=1e-6, resampling="torchvision")
