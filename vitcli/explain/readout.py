"""Readout: the share that each token has in what the head sees, by the pool of the net."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from vitcli.net import ViT
from vitcli.net.watch import Watched


def readout(net: ViT, seen: Watched, images: Tensor) -> Float[Tensor, "batch tokens"]:
    """Shares that sum to one: of the class token all, of a mean the same for each, of attention pooling its weights.

    Where only the class token was asked for in the last layer, tokens is 1.

    Args:
        net: The net.
        seen: What it has computed of the images.
        images: (batch, ...), for their number, dtype and device.
    """
    if seen.pool is not None and seen.pool.weights is not None:
        return seen.pool.weights
    tokens = int(net.tokens)
    shares = torch.zeros(len(images), tokens, dtype=images.dtype, device=images.device)
    if net.pool == "cls":
        shares[:, 0] = 1
        return shares[:, :1]
    first = net.prefix if net.pool in ("mean_patches", "cls_mean") else 0
    shares[:, first:] = 1 / (tokens - first)
    if net.pool == "cls_mean":
        # two halves of equal width
        shares /= 2
        shares[:, 0] += 0.5
    return shares


def on_tokens(mixed: Float[Tensor, "batch heads k"], mixing: Float[Tensor, "heads k tokens"]) -> Tensor:
    """What mixtures have, dealt out to the tokens that they are made of: (batch, heads, tokens)."""
    return (mixed.unsqueeze(2) @ mixing).squeeze(2)


def filled_up(shares: Float[Tensor, "batch _"], like: Float[Tensor, "batch tokens"]) -> Float[Tensor, "batch tokens"]:
    """Shares of all tokens, where only the first of them have any."""
    whole = torch.zeros_like(like)
    whole[:, : shares.shape[1]] = shares
    return whole


def on_patches(net: ViT, tokens: Float[Tensor, "batch tokens"]) -> Float[Tensor, "batch rows columns"]:
    """What the patches have, without class token and registers, on their grid."""
    return tokens[:, net.prefix :].reshape(len(tokens), *net.grid)
