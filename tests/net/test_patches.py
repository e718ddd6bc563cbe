"""PatchEmbed: the grid, and the convolution that it equals."""

from __future__ import annotations

import pytest
import torch

from vitcli.errors import ConfigError
from vitcli.net import PatchEmbed
from vitcli.net.patches import pieced


@pytest.mark.parametrize(("image_size", "patch_size"), [(32, 8), ((24, 40), (6, 8)), ((8, 8), 8)])
def test_patches_equal_the_convolution(randomise, image_size, patch_size):
    embed = randomise(PatchEmbed(image_size, patch_size, channels=3, dim=10))
    images = torch.randn(2, 3, *embed.image_size, dtype=torch.float64)
    expected = embed.proj(images).flatten(2).transpose(1, 2)
    torch.testing.assert_close(embed(images), expected, rtol=0, atol=1e-12)


def test_the_grid_is_rows_and_columns():
    assert PatchEmbed((24, 40), (6, 8), channels=3, dim=4).grid == (4, 5)


def test_patches_come_row_by_row():
    embed = PatchEmbed((4, 6), 2, channels=1, dim=1)
    torch.nn.init.constant_(embed.proj.weight, 0.25)
    torch.nn.init.zeros_(embed.proj.bias)
    images = torch.arange(6.0).reshape(1, 1, 2, 3).repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert embed(images).flatten().tolist() == [0, 1, 2, 3, 4, 5]


def test_channels_last_images_give_the_same(randomise):
    embed = randomise(PatchEmbed(16, 4, channels=3, dim=10))
    images = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    assert torch.equal(embed(images.to(memory_format=torch.channels_last)), embed(images))


@pytest.mark.parametrize("shape", [(1, 3, 16, 32), (1, 1, 32, 32), (1, 3, 64, 64)])
def test_images_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"images of shape .* for a net that was built for \(3, 32, 32\)"):
        PatchEmbed(32, 8, channels=3, dim=4)(torch.zeros(shape))


@pytest.mark.parametrize(
    ("image_size", "patch_size", "channels", "dim", "line"),
    [
        (230, 32, 3, 8, "model.net.image_size 230: not divisible by model.net.patch_size 32; "
         "the nearest size that is: 224"),
        ((224, 200), (32, 16), 3, 8, "model.net.image_size [224, 200]: not divisible by model.net.patch_size "
         "[32, 16]; the nearest size that is: [224, 192]"),
        (16, 32, 3, 8, "model.net.image_size 16: not divisible by model.net.patch_size 32; "
         "the nearest size that is: 32"),
        (0, 32, 3, 8, "model.net.image_size 0: must be at least 1 pixel"),
        (32, (8, -8), 3, 8, "model.net.patch_size [8, -8]: must be at least 1 pixel"),
        (32, 8, 0, 8, "model.net.channels 0: must be at least 1"),
        (32, 8, 3, 0, "model.net.dim 0: must be at least 1"),
    ],
)  # fmt: skip
def test_sizes_that_do_not_fit_are_refused_in_one_line(image_size, patch_size, channels, dim, line):
    with pytest.raises(ConfigError) as caught:
        PatchEmbed(image_size, patch_size, channels, dim)
    assert str(caught.value) == line


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("piece", [500, 5_000, 10_000])
def test_patches_are_the_same_piece_by_piece(bias, precision, piece, monkeypatch):
    embed = PatchEmbed((32, 48), (8, 16), 3, 24, bias=bias)
    parameters = list(embed.proj.parameters())
    for parameter in parameters:
        torch.nn.init.normal_(parameter)
    images = torch.randn(5, 3, 32, 48)

    def run():
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
            tokens = embed(images)
        gradients = torch.autograd.grad(tokens, parameters, torch.cos(torch.arange(tokens.numel())).view_as(tokens))
        return tokens, *gradients

    whole = run()
    monkeypatch.setattr("vitcli.net.patches.PIECE", piece)
    assert pieced(images)
    pieces = run()
    # a gradient in bfloat16 is rounded once for each piece
    tolerance = 1e-5 if precision == torch.float32 else 0.02
    for one, other in zip(pieces, whole, strict=True):
        assert one.dtype == other.dtype
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance * float(other.abs().max()))


def test_images_that_want_a_gradient_are_cut_whole(monkeypatch):
    monkeypatch.setattr("vitcli.net.patches.PIECE", 100)
    embed = PatchEmbed(32, 8, 3, 24)
    images = torch.randn(2, 3, 32, 32, requires_grad=True)
    assert not pieced(images)
    embed(images).sum().backward()
    assert images.grad is not None
