"""timm's VisionTransformer: its names, and what its tensors do not show; DINOv2's own files have the same names."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from vitcli.weights.tables.table import PUBLISHED_HEADS, Found, Source, Wanted, rename

# DINOv2's own name of the registers, and a tensor that only its training uses
DINO_REGISTERS, DINO_MASK = "register_tokens", "mask_token"
TABLE = {
    "patch_embed.proj.*": "patches.proj.*",
    "cls_token": "class_token",
    "reg_token": "register_tokens",
    DINO_REGISTERS: "register_tokens",
    "pos_embed": "pos_embed",
    "norm_pre.*": "pre_norm.*",
    "blocks.#.norm1.*": "backend.blocks.#.norm1.*",
    "blocks.#.attn.qkv.*": "backend.blocks.#.attention.qkv.*",
    "blocks.#.attn.q_norm.*": "backend.blocks.#.attention.q_norm.*",
    "blocks.#.attn.k_norm.*": "backend.blocks.#.attention.k_norm.*",
    "blocks.#.attn.proj.*": "backend.blocks.#.attention.proj.*",
    "blocks.#.ls1.gamma": "backend.blocks.#.scale1",
    "blocks.#.norm2.*": "backend.blocks.#.norm2.*",
    "blocks.#.mlp.fc1.*": "backend.blocks.#.mlp.fc1.*",
    "blocks.#.mlp.fc2.*": "backend.blocks.#.mlp.fc2.*",
    "blocks.#.ls2.gamma": "backend.blocks.#.scale2",
    "norm.*": "norm.*",
    "fc_norm.*": "norm.*",
    "head.*": "head.*",
}


def convert(tensors: Mapping[str, Tensor], wanted: Wanted) -> Found:
    """The names changed; a tensor is moved only for DINOv2.

    A norm after the pool is timm's sign of a mean over patches. No class token means the same. DINOv2's registers join
    the tokens after the positions, which begin with one for the class token (Darcet et al. 2024; timm reads them so).
    """
    found = rename({name: tensor for name, tensor in tensors.items() if name != DINO_MASK}, TABLE, "timm")
    if DINO_REGISTERS in tensors and {"class_token", "pos_embed"} <= found.tensors.keys():
        token, positions = found.tensors["class_token"], found.tensors["pos_embed"]
        if positions.dim() == token.dim() == 3 and positions.shape[2] == token.shape[2]:
            found.tensors |= {"class_token": token + positions[:, :1], "pos_embed": positions[:, 1:]}
    pooled_first = "fc_norm.weight" in tensors
    if pooled_first or "class_token" not in found.tensors:
        found.facts["pool"] = "mean_patches"
    found.facts["final_norm"] = "after_pool" if pooled_first else "before_pool"
    if "patches.proj.weight" in found.tensors:
        found.facts["heads"] = PUBLISHED_HEADS.get(found.tensors["patches.proj.weight"].shape[0])
    return found


TIMM = Source("timm", r"patch_embed\.proj\.|blocks\.\d+\.attn\.", convert, norm_eps=1e-6, resampling="timm")
