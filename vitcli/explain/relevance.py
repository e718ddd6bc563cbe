"""Relevance: attention weighted by its gradient, for a class (Chefer et al. 2021, generic attention)."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from vitcli.explain.readout import filled_up, on_tokens, readout
from vitcli.net import ViT, watch
from vitcli.net.watch import Watched


def relevance(
    net: ViT, images: Float[Tensor, "batch channels height width"], classes: Int[Tensor, " batch"]
) -> Float[Tensor, "batch tokens"]:
    """How much each token speaks for a class: relevance R = (1 + A_L) ... (1 + A_1), with A = mean of (gradient A)+.

    Chefer et al. 2021, equations 5 and 6; of Linformer, whose keys are mixtures, a mixture's relevance goes to its
    tokens by the magnitude of their part in it.

    Args:
        net: The net; its parameters get no gradient.
        images: Normalised pixels.
        classes: Whose logit is explained.
    """
    with torch.enable_grad(), watch(net) as seen:
        # a leaf, so that there is a graph even where all parameters are frozen
        logits = net(images.detach().requires_grad_())
        chosen = logits.gather(1, classes[:, None]).sum()
        weights = [layer.weights for layer in seen if layer.weights is not None]
        gradients = torch.autograd.grad(chosen, weights)
    return carried(net, seen, gradients, images)


def carried(net: ViT, seen: Watched, gradients: tuple[Tensor, ...], images: Tensor) -> Float[Tensor, "batch tokens"]:
    """Relevance of what was seen: shares of the pool are carried from the last layer to the first.

    Args:
        net: The net.
        seen: What it has computed of the images.
        gradients: Of the class's logit by each layer's weights, from the first layer.
        images: Normalised pixels.
    """
    with torch.no_grad():
        shares = readout(net, seen, images).detach()
        for layer, gradient in zip(reversed(seen.layers), reversed(gradients), strict=True):
            assert layer.weights is not None
            positive = (gradient * layer.weights).clamp_min(0)
            if layer.mixing is None:
                taken = torch.einsum("bn,bhnk->bk", shares, positive) / positive.shape[1]
            else:
                mixed = torch.einsum("bn,bhnk->bhk", shares, positive)
                taken = on_tokens(mixed, layer.mixing.abs()).mean(dim=1)
            shares = filled_up(shares, taken) + taken
        return shares
