"""Relevance: attention weighted by its gradient, for a class (Chefer et al. 2021, generic attention)."""

from __future__ import annotations

from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from vitcli.explain.readout import filled_up, on_tokens, readout
from vitcli.net import ViT, watch
from vitcli.net.watch import Seen


def relevance(
    net: ViT, images: Float[Tensor, "batch channels height width"], classes: Int[Tensor, " batch"]
) -> Float[Tensor, "batch tokens"]:
    """How much each token speaks for a class: relevance R = (1 + A_L) ... (1 + A_1), with A = mean of (gradient A)+.

    Chefer et al. 2021, equations 5 and 6; of Linformer, whose keys are mixtures, a mixture's relevance goes to its
    tokens by the magnitude of their part in it. Where the head sees the mean of the tokens, the 1 alone would give each
    of them the same, which says nothing of the picture and is left out; with a class token, it gives no patch any.

    The matrices of all layers are held once, as the graph of the forward pass; their gradients come layer by layer,
    from the last, and are used at once.

    Args:
        net: The net; its parameters get no gradient.
        images: Normalised pixels.
        classes: Whose logit is explained.
    """
    with torch.enable_grad(), watch(net) as seen:
        for layer in seen:
            layer.then = _keep_weights
        # a leaf, so that there is a graph even where all parameters are frozen
        pixels = images.detach().requires_grad_()
        chosen = net(pixels).gather(1, classes[:, None]).sum()
        readings = readout(net, seen, images).detach()
        shares = [readings]

        def carry(layer: Seen, gradient: Tensor) -> None:
            shares.append(_carried(layer, gradient, shares.pop()))
            # a hook that holds its own tensor would keep it
            layer.forget()

        for layer in seen:
            assert layer.weights is not None
            layer.weights.register_hook(partial(carry, layer))  # type: ignore[no-untyped-call]
        torch.autograd.grad(chosen, pixels)
    return shares[0] if net.pool in ("cls", "attention") else shares[0] - readings


def _keep_weights(layer: Seen) -> None:
    layer.scores = layer.context = None


@torch.no_grad()
def _carried(
    layer: Seen, gradient: Float[Tensor, "batch heads tokens k"], shares: Float[Tensor, "batch _"]
) -> Float[Tensor, "batch all_tokens"]:
    """Relevance of a layer's outputs, carried to its inputs.

    Args:
        layer: Its weights, and of Linformer its mixtures.
        gradient: Of the class's logit by the weights.
        shares: Relevance of the first tokens behind the layer, where others have none.
    """
    assert layer.weights is not None
    positive = (gradient * layer.weights).clamp_min(0)
    if layer.mixing is None:
        taken = torch.einsum("bn,bhnk->bk", shares, positive) / positive.shape[1]
    else:
        mixed = torch.einsum("bn,bhnk->bhk", shares, positive)
        taken = on_tokens(mixed, layer.mixing.abs()).mean(dim=1)
    return filled_up(shares, taken) + taken
