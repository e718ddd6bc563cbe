"""ConvStem: its tokens are those of standardised convolutions on the grid of the patches, each image by itself."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from vitcli.errors import ConfigError
from vitcli.net import PatchEmbed, VanillaTransformer, ViT, build
from vitcli.net.counts import macs, parameters
from vitcli.net.stem import ConvStem


def small(**settings: Any) -> ViT:
    return ViT(32, 8, dim=16, classes=3, backend=partial(VanillaTransformer, depth=1, heads=2), stem="conv", **settings)


@pytest.mark.parametrize(("image_size", "patch_size"), [(224, 32), ((32, 48), 16), (24, 8), (8, 4)])
def test_as_many_tokens_come_out_on_the_same_grid_as_of_patches(image_size: Any, patch_size: int):
    stem, patches = (kind(image_size, patch_size, 3, 32) for kind in (ConvStem, PatchEmbed))
    images = torch.randn(2, 3, *stem.image_size)
    assert stem.grid == patches.grid
    assert stem(images).shape == patches(images).shape


def test_it_is_convolution_with_standardised_filters_then_norm_then_relu(randomise: Any):
    stem = randomise(ConvStem(16, 8, channels=3, dim=64))
    images = maps = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    for conv, norm, (stride, padding) in zip(stem.convs, stem.norms, [(4, 0), (2, 1)], strict=True):
        filters = conv.weight.flatten(1) - conv.weight.flatten(1).mean(dim=1, keepdim=True)
        filters = filters / filters.norm(dim=1, keepdim=True) * conv.gain[:, None]
        maps = F.conv2d(maps, filters.view_as(conv.weight), stride=stride, padding=padding)
        in_groups = maps.unflatten(1, (-1, 16))
        centred = in_groups - in_groups.mean(dim=(2, 3, 4), keepdim=True)
        normed = centred / (centred.square().mean(dim=(2, 3, 4), keepdim=True) + 1e-6).sqrt()
        maps = (normed.flatten(1, 2) * norm.weight[:, None, None] + norm.bias[:, None, None]).relu()
    expected = stem.proj(maps).flatten(2).transpose(1, 2)
    torch.testing.assert_close(stem(images), expected, rtol=0, atol=1e-8)


def test_training_keeps_nothing_beside_the_weights_and_no_image_depends_on_another():
    net = small().double().train()
    images = torch.randn(5, 3, 32, 32, dtype=torch.float64)
    together = net(images)
    assert not list(net.buffers())[1:]
    torch.testing.assert_close(together[2:3], net(images[2:3]), rtol=0, atol=1e-12)


def test_its_settings_build_it_again_and_say_stem():
    net = small()
    again = build(net.settings())
    assert net.settings()["stem"] == "conv"
    again.load_state_dict(net.state_dict())
    images = torch.randn(1, 3, 32, 32)
    assert torch.equal(again.eval()(images), net.eval()(images))


def test_settings_of_before_it_was_there_are_of_patches():
    settings = small().settings()
    del settings["stem"]
    assert isinstance(build(settings).patches, PatchEmbed)


def test_the_example_has_the_macs_and_parameters_of_its_convolutions():
    backend = partial(VanillaTransformer, depth=12, heads=8)
    nets = [ViT(224, 32, dim=128, classes=2, backend=backend, stem=stem) for stem in ("patches", "conv")]
    shapes = [(3, 32, 4, 56), (32, 64, 3, 28), (64, 64, 3, 28), (64, 128, 3, 14), (128, 128, 3, 14), (128, 256, 3, 7)]
    filters = sum(inputs * outputs * side**2 for inputs, outputs, side, _ in shapes)
    products = sum(inputs * outputs * side**2 * rows**2 for inputs, outputs, side, rows in shapes)
    vectors = 3 * sum(outputs for _, outputs, _, _ in shapes)
    assert parameters(nets[1]) - parameters(nets[0]) == filters + vectors + 256 * 128 - 3 * 32**2 * 128
    assert macs(nets[1]) - macs(nets[0]) == products + 49 * 256 * 128 - 49 * 3 * 32**2 * 128


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"patch_size": 14, "image_size": 224}, "model.net.patch_size 14: model.net.stem conv halves the picture again "
         "and again; choose 4, 8, 16 or 32, or model.net.stem patches"),
        ({"patch_size": 2, "image_size": 32}, "model.net.patch_size 2: model.net.stem conv halves"),
        ({"patch_size": (8, 16), "image_size": 32}, "model.net.patch_size [8, 16]: model.net.stem conv halves"),
        ({"patch_size": 32, "image_size": 200}, "model.net.image_size 200: not divisible by model.net.patch_size 32"),
        ({"patch_norm": True}, "model.net.patch_norm true: model.net.stem conv has norms of its own; leave it out"),
    ],
)  # fmt: skip
def test_what_it_cannot_be_is_said_in_one_line(settings: dict[str, Any], line: str):
    with pytest.raises(ConfigError) as caught:
        ViT(**{"image_size": 32, "patch_size": 8, "dim": 16, "stem": "conv"} | settings)
    assert str(caught.value).startswith(line)


def test_images_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"images of shape .* for a net that was built for \(3, 32, 32\)"):
        ConvStem(32, 8, channels=3, dim=4)(torch.zeros(1, 3, 64, 64))
