"""Attention as a map: what the pooled query takes of each patch, layer by layer and head by head, and rolled out."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from vitcli.explain.readout import filled_up, on_tokens, readout
from vitcli.net import ViT, watch
from vitcli.net.transformer.attention import Attention
from vitcli.net.watch import Seen, Watched


def layer_maps(net: ViT, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch layers heads _"]:
    """What the pooled query takes of each token in every layer and head: (batch, layers, heads, tokens).

    Of nets that pool the class token, its own row of the weights; of a mean, the mean of the rows. For Linformer the
    rows are those of softmax(Q (E K)^T) F, which may be negative. The matrices of one layer are held at a time.

    Args:
        net: The net.
        images: Normalised pixels.
    """
    maps: list[Tensor] = []
    with torch.no_grad(), watch(net) as seen:
        shares = _shares(net, seen, images)

        def take(layer: Seen) -> None:
            maps.append(_taken(layer, shares))
            layer.forget()

        for layer in seen:
            layer.then = take
        net(images)
    return torch.stack(maps, dim=1)


def layers_and_heads(net: ViT) -> tuple[int, int]:
    """How many layers attend, and with how many heads each.

    Raises:
        ConfigError: The backend has no attention of vitcli's.
    """
    with watch(net) as seen:
        depth = len(seen)
    return depth, next(module.heads for module in net.backend.modules() if isinstance(module, Attention))


def attention(
    net: ViT, images: Float[Tensor, "batch channels height width"], classes: Tensor
) -> Float[Tensor, "batch tokens"]:
    """The mean of all layers' and heads' maps; the same for every class.

    Args:
        net: The net.
        images: Normalised pixels.
        classes: Not looked at.
    """
    return layer_maps(net, images).mean(dim=(1, 2))


def rollout(
    net: ViT, images: Float[Tensor, "batch channels height width"], classes: Tensor
) -> Float[Tensor, "batch tokens"]:
    """Attention through all layers, with the residual connections (Abnar and Zuidema 2020, 3); rows sum to one.

    In each layer a token takes half of itself, and half of what its heads attend to in the mean. Linformer's weights of
    tokens, which may be negative, enter by their magnitude, and each row is brought to the sum of one. Of full
    attention, a matrix (tokens, tokens) is held for each layer, the mean of its heads.

    Args:
        net: The net.
        images: Normalised pixels.
        classes: Not looked at.
    """
    with torch.no_grad(), watch(net) as seen:
        for layer in seen:
            layer.then = _merge_heads
        net(images)
    return rolled_out(net, seen, images)


def rolled_out(net: ViT, seen: Watched, images: Tensor) -> Float[Tensor, "batch tokens"]:
    """The rollout of what was seen: shares (batch, tokens) are carried from the last layer to the first.

    A row is multiplied by one matrix after another; the product of all matrices, tokens by tokens, is never formed.
    """
    shares = readout(net, seen, images)
    for layer in reversed(seen.layers):
        assert layer.weights is not None
        weights = layer.weights
        mixing = None if layer.mixing is None else layer.mixing.abs()
        if mixing is None:
            taken = torch.einsum("bn,bhnk->bk", shares, weights) / weights.shape[1]
        else:
            # rows of (weights @ mixing), each over its sum
            sums = weights @ mixing.sum(dim=2).unsqueeze(-1)
            taken = torch.einsum("bn,bhnk->bhk", shares, weights / sums.clamp_min(1e-12))
            taken = on_tokens(taken, mixing).mean(dim=1)
        shares = (filled_up(shares, taken) + taken) / 2
    return shares


def _shares(net: ViT, seen: Watched, images: Tensor) -> Float[Tensor, "batch tokens"]:
    """The readout before the layers are looked at: attention pooling needs a forward pass of its own for that."""
    if seen.pool is not None:
        for layer in seen:
            layer.then = Seen.forget
        net(images)
    return readout(net, seen, images)


def _merge_heads(layer: Seen) -> None:
    """Keep the mean of the heads' weights alone; of Linformer each head's, whose values are other mixtures."""
    weights = layer.weights
    layer.forget()
    assert weights is not None
    layer.weights = weights if layer.mixing is not None else weights.mean(dim=1, keepdim=True)


def _taken(layer: Seen, shares: Float[Tensor, "batch tokens"]) -> Float[Tensor, "batch heads tokens"]:
    assert layer.weights is not None
    # of the class token there is one share, and the first row is its own
    rows = layer.weights[:, :, : shares.shape[1]]
    mixed = torch.einsum("bn,bhnk->bhk", shares, rows)
    return mixed if layer.mixing is None else on_tokens(mixed, layer.mixing)
