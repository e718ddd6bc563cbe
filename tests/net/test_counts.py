from __future__ import annotations

import pytest

from vitcli.net import VanillaTransformer, ViT
from vitcli.net.counts import macs, parameters


@pytest.mark.parametrize(
    ("image_size", "patch_size", "dim", "depth", "heads", "classes"),
    [(224, 32, 128, 12, 8, 2), (224, 16, 192, 12, 3, 1000), (64, 8, 64, 4, 4, 3)],
)
def test_full_attention_counts_as_the_formulas_say(image_size, patch_size, dim, depth, heads, classes):
    net = ViT(
        image_size,
        patch_size,
        dim=dim,
        classes=classes,
        backend=lambda n, d: VanillaTransformer(n, d, depth=depth, heads=heads),
    )
    patches, values = (image_size // patch_size) ** 2, 3 * patch_size**2
    tokens = patches + 1
    block = 12 * tokens * dim**2 + 2 * tokens**2 * dim
    assert macs(net) == patches * values * dim + dim * classes + depth * block
    table = values * dim + dim + tokens * dim + dim + 2 * dim + dim * classes + classes
    assert parameters(net) == table + depth * (12 * dim**2 + 13 * dim)


def test_counting_leaves_the_net_as_it_was():
    net = ViT(16, 8, dim=16, classes=2, backend=lambda n, d: VanillaTransformer(n, d, depth=1, heads=2))
    macs(net)
    assert net.training
    assert net.head.weight.device.type == "cpu"
