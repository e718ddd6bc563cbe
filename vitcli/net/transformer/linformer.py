"""Linformer: the backend of blocks whose keys and values are projected to k mixtures (Wang et al. 2020)."""

from __future__ import annotations

import warnings
from typing import Any, final

from jaxtyping import Float
from torch import Tensor

from vitcli.errors import ConfigError
from vitcli.net.limits import count_or_size, one_of
from vitcli.net.transformer.attention import LinformerAttention, Sharing
from vitcli.net.transformer.projection import Mixer, Projection, ProjInit
from vitcli.net.transformer.stack import Stack


@final
class Linformer(Stack):
    """Attention over k mixtures of the tokens: (batch, tokens, dim) -> (batch, tokens, dim).

    Wang et al. 2020; without qkv_bias and with norm_eps 1e-5 the numbers are those of the linformer package. It
    saves work only where k is below half the tokens, and says so.

    Args:
        tokens: Number of tokens; given by the net.
        dim: Width of a token; given by the net.
        k: Number of mixtures that keys and values are projected to, at least 1, or one number for each layer; pays
            below half the tokens.
        sharing: What shares a projection (Wang et al. 2020, 4.1): none (each head has its own), headwise (the heads
            of a layer; the linformer package), kv (its keys and values too), layerwise (all layers).
        projection: What makes the mixtures: linear (learned, any), conv (one learned kernel for all cells of the
            grid), avgpool (the mean of each cell; nothing to learn, so sharing has no effect).
        project_prefix: Whether class and register tokens are projected too (the linformer package) or kept beside the
            k mixtures; avgpool and conv keep them, and then count them among the k or not.
        proj_init: How a projection begins: unit (a projected key is as large as a key), avgpool (the mean of each
            cell, with which pretrained full attention may begin), peer (uniform to 1 / sqrt(k), the linformer
            package; projected keys grow with the tokens).
        one_kv_head: Whether all heads use the same keys and values, as in the linformer package's one_kv_head.
        tie_kv: Whether the values are the keys, as in the linformer package's share_kv.
        **options: What every stack of blocks takes.

    Raises:
        ConfigError: A size below 1, heads that do not divide dim, a probability outside [0, 1), not one k for each
            layer, a layerwise projection with several k, or a grid without k cells.
    """

    def __init__(
        self,
        tokens: int,
        dim: int,
        k: int | tuple[int, ...] = 64,
        sharing: Sharing = "headwise",
        projection: Projection = "linear",
        project_prefix: bool = True,
        proj_init: ProjInit = "unit",
        one_kv_head: bool = False,
        tie_kv: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(dim, **options)
        self.k = k
        self.sharing = sharing
        self.projection = projection
        self.project_prefix = project_prefix
        self.proj_init = proj_init
        self.one_kv_head = one_kv_head
        self.tie_kv = tie_kv
        each = _checked_k(self)
        if 2 * max(each) >= tokens and projection == "linear":
            # full attention takes 2 n^2 d products a layer, this one 4 n k d
            warnings.warn(
                f"model.net.backend.k {k}: Linformer with k = {max(each)} for {int(tokens)} tokens costs more than it "
                f"saves; it pays below k = {tokens / 2:g}, or use VanillaTransformer",
                stacklevel=2,
            )
        # owned here and passed on: tensors under two names cannot be saved as safetensors
        layerwise = sharing == "layerwise"
        self.shared_projection = (
            Mixer(tokens, each[0], projection, project_prefix).weight(None, proj_init) if layerwise else None
        )
        own = {
            "tokens": tokens, "sharing": sharing, "projection": projection, "project_prefix": project_prefix,
            "proj_init": proj_init, "one_kv_head": one_kv_head, "tie_kv": tie_kv,
        }  # fmt: skip
        self.blocks = self.stacked(LinformerAttention, [{**own, "k": number} for number in each])

    def forward(
        self, tokens: Float[Tensor, "batch tokens dim"], leading: int | None = None, layers: int = 1
    ) -> Float[Tensor, "batch seen layers_dim"]:
        """Through all blocks."""
        context = () if self.shared_projection is None else (self.shared_projection,)
        return self.through(self.blocks, tokens, *context, leading=leading, layers=layers)


def _checked_k(backend: Linformer) -> list[int]:
    key = "model.net.backend"
    one_of(f"{key}.sharing", backend.sharing, Sharing)
    one_of(f"{key}.projection", backend.projection, Projection)
    one_of(f"{key}.proj_init", backend.proj_init, ProjInit)
    if isinstance(backend.k, int):
        return [count_or_size(f"{key}.k", backend.k)] * backend.depth
    each = [count_or_size(f"{key}.k", number) for number in backend.k]
    if len(each) != backend.depth:
        raise ConfigError(
            f"{key}.k {each}: {len(each)} numbers for {key}.depth {backend.depth}; give one for each layer"
        )
    if backend.sharing == "layerwise" and len(set(each)) > 1:
        raise ConfigError(f"{key}.k {each}: one projection for all layers has one k; set {key}.sharing headwise")
    return each
