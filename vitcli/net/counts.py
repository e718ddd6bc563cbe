"""Size of a net: its parameters, and the multiply-accumulates (MACs) that one image takes."""

from __future__ import annotations

import copy

import torch
from torch.utils.flop_counter import FlopCounterMode

from vitcli.net.vit import ViT


def parameters(net: ViT) -> int:
    """Number of parameters, frozen ones included."""
    return sum(parameter.numel() for parameter in net.parameters())


def macs(net: ViT) -> int:
    """Multiply-accumulates of a forward pass of one image, counted by torch on a copy on the meta device.

    Matrix products, convolutions and attention count; norms, activations and biases do not, as in the tables of the
    ViT papers. A FLOP count is twice this. All tokens of the last layer count, as there, although a net that pools its
    class token leaves most of their work out.
    """
    without_numbers = {id(tensor): tensor.detach().to("meta") for tensor in (*net.parameters(), *net.buffers())}
    shadow = copy.deepcopy(net, without_numbers).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        images = torch.empty(1, net.channels, *net.image_size, device="meta")
        shadow.logits(shadow.pooled(shadow.features(images)))
    flops: int = counter.get_total_flops()
    return flops // 2
