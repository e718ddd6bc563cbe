"""Maps from the pixels themselves: gradients times input, and occlusion, which asks again without each patch."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from vitcli.net import ViT

# images of one forward pass of occlusion
AT_ONCE = 64


def gradients(
    net: ViT, images: Float[Tensor, "batch channels height width"], classes: Int[Tensor, " batch"]
) -> Float[Tensor, "batch rows columns"]:
    """Gradient of a class's logit times the pixels, summed over each patch (Shrikumar et al. 2016).

    The pixels are normalised, so that a grey patch has none.

    Args:
        net: The net; its parameters get no gradient.
        images: Normalised pixels.
        classes: Whose logit is explained.
    """
    with torch.enable_grad():
        pixels = images.detach().requires_grad_()
        chosen = net(pixels).gather(1, classes[:, None]).sum()
        (gradient,) = torch.autograd.grad(chosen, pixels)
    return _patches(net, (gradient * images).sum(dim=1)).sum(dim=(2, 4))


def occlusion(
    net: ViT, images: Float[Tensor, "batch channels height width"], classes: Int[Tensor, " batch"]
) -> Float[Tensor, "batch rows columns"]:
    """How far a class's probability falls when a patch is grey (Zeiler and Fergus 2014): a forward pass a patch.

    Args:
        net: The net.
        images: Normalised pixels, whose grey is 0.
        classes: Whose probability is explained.
    """
    rows, columns = net.grid
    height, width = net.patches.patch_size
    falls = []
    with torch.no_grad():
        for image, label in zip(images, classes, strict=True):
            whole = net(image[None]).softmax(dim=1)[0, label]
            found = []
            for start in range(0, rows * columns, AT_ONCE):
                places = range(start, min(start + AT_ONCE, rows * columns))
                without = image.repeat(len(places), 1, 1, 1)
                for number, place in enumerate(places):
                    top, left = place // columns * height, place % columns * width
                    without[number, :, top : top + height, left : left + width] = 0
                found.append(net(without).softmax(dim=1)[:, label])
            falls.append(whole - torch.cat(found))
    return torch.stack(falls).reshape(len(images), rows, columns)


def _patches(net: ViT, plane: Float[Tensor, "batch height width"]) -> Tensor:
    """A plane cut into patches: (batch, rows, patch height, columns, patch width)."""
    rows, columns = net.grid
    height, width = net.patches.patch_size
    return plane.reshape(len(plane), rows, height, columns, width)
