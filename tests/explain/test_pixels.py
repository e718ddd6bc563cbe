"""The maps of pixels, which captum computes, are bit for bit those of the formulas."""

from __future__ import annotations

import torch
from torch import Tensor

from tests.net.test_watch import images, net
from vitcli.explain.pixels import gradients, occlusion
from vitcli.net import Linformer, ViT

CLASSES = torch.tensor([2, 0])


def without_each_patch(built: ViT, image: Tensor, label: int) -> Tensor:
    whole = built(image[None]).softmax(dim=1)[0, label]
    falls = []
    for top in range(0, 32, 8):
        for left in range(0, 32, 8):
            without = image.clone()
            without[:, top : top + 8, left : left + 8] = 0
            falls.append(whole - built(without[None]).softmax(dim=1)[0, label])
    return torch.stack(falls).reshape(4, 4)


@torch.no_grad()
def test_occlusion_asks_again_without_each_patch():
    for built in (net(pool="cls"), net(Linformer, {"k": 6}, pool="mean")):
        wanted = torch.stack([without_each_patch(built, *one) for one in zip(images(), CLASSES.tolist(), strict=True)])
        torch.testing.assert_close(occlusion(built, images(), CLASSES), wanted, rtol=0, atol=1e-14)


def test_gradients_are_the_gradient_times_the_pixels_whether_or_not_the_net_is_frozen():
    built = net(pool="attention")
    pixels = images().requires_grad_()
    (gradient,) = torch.autograd.grad(built(pixels).gather(1, CLASSES[:, None]).sum(), pixels)
    wanted = (gradient * images()).sum(dim=1).unfold(1, 8, 8).unfold(2, 8, 8).sum(dim=(3, 4))
    torch.testing.assert_close(gradients(built, images(), CLASSES), wanted, rtol=0, atol=1e-14)
    built.requires_grad_(requires_grad=False)
    with torch.no_grad():
        torch.testing.assert_close(gradients(built, images(), CLASSES), wanted, rtol=0, atol=1e-14)
