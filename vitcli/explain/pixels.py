"""Maps from the pixels themselves: gradients times input, and occlusion, which asks again without each patch."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from vitcli.net import ViT

# tokens of one forward pass of occlusion: 64 images of 197 tokens
TOKENS_AT_ONCE = 12_608


def gradients(
    net: ViT, images: Float[Tensor, "batch channels height width"], classes: Int[Tensor, " batch"]
) -> Float[Tensor, "batch rows columns"]:
    """Gradient of a class's logit times the pixels, summed over each patch (Shrikumar et al. 2016), by captum.

    The pixels are normalised, so that a grey patch has none.

    Args:
        net: The net; its parameters get no gradient.
        images: Normalised pixels.
        classes: Whose logit is explained.
    """
    # captum imports matplotlib, which takes its time
    from captum.attr import InputXGradient

    pixels = images.detach().requires_grad_()
    found: Tensor = InputXGradient(net).attribute(pixels, target=classes).detach()
    rows, columns = net.grid
    height, width = net.patches.patch_size
    patches = found.sum(dim=1).reshape(len(found), rows, height, columns, width)
    return patches.sum(dim=(2, 4))


def occlusion(
    net: ViT, images: Float[Tensor, "batch channels height width"], classes: Int[Tensor, " batch"]
) -> Float[Tensor, "batch rows columns"]:
    """How far a class's probability falls when a patch is grey (Zeiler and Fergus 2014): a forward pass a patch.

    captum's FeatureAblation of a plane that says which patches are there. Of the pixels themselves it would hold masks
    as large as all images of a pass, and take twice as long.

    Args:
        net: The net.
        images: Normalised pixels, whose grey is 0.
        classes: Whose probability is explained.
    """
    from captum.attr import FeatureAblation

    rows, columns = net.grid
    height, width = net.patches.patch_size
    at_once = max(1, TOKENS_AT_ONCE // int(net.tokens))
    falls = []
    for image, label in zip(images, classes.tolist(), strict=True):

        def probabilities(there: Tensor, image: Tensor = image) -> Tensor:
            squares = there.reshape(len(there), 1, rows, columns)
            logits: Tensor = net(image * squares.repeat_interleave(height, 2).repeat_interleave(width, 3))
            return logits.softmax(dim=1)

        whole = image.new_ones(1, rows * columns)
        ablation = FeatureAblation(probabilities)
        found = ablation.attribute(whole, baselines=0, target=label, perturbations_per_eval=at_once)
        falls.append(found.reshape(rows, columns))
    return torch.stack(falls)
