"""Resample: positions as the peers do it, projections so that attention hardly moves."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch.nn import functional as F

from vitcli.net import Linformer, LinformerAttention, Tokens, ViT, resample
from vitcli.net.resample import projection

GRIDS = [((4, 4), (6, 6)), ((8, 8), (4, 4)), ((7, 7), (12, 12)), ((4, 6), (6, 4)), ((4, 6), (5, 9))]


@pytest.mark.parametrize("prefix", [0, 1, 5])
@pytest.mark.parametrize(("old", "new"), GRIDS)
def test_positions_are_resampled_as_by_timm(old, new, prefix):
    timm = pytest.importorskip("timm.layers")
    table = torch.randn(1, prefix + math.prod(old), 6, dtype=torch.float64)
    expected = timm.resample_abs_pos_embed(table, list(new), list(old), num_prefix_tokens=prefix)
    torch.testing.assert_close(resample({"pos_embed": table}, old, new)["pos_embed"], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("old", "new"), [(old, new) for old, new in GRIDS if old[0] == old[1]])
def test_positions_are_resampled_as_by_torchvision(old, new):
    vision = pytest.importorskip("torchvision.models.vision_transformer")
    table = torch.randn(1, 1 + math.prod(old), 6, dtype=torch.float64)
    expected = vision.interpolate_embeddings(new[0] * 8, 8, {"encoder.pos_embedding": table.clone()})
    moved = resample({"pos_embed": table}, old, new, "torchvision")["pos_embed"]
    torch.testing.assert_close(moved, expected["encoder.pos_embedding"], rtol=0, atol=1e-6)


def test_the_same_grid_changes_nothing_and_prefix_rows_stay():
    state = {"pos_embed": torch.randn(1, 17, 6), "backend.blocks.0.attention.project_keys": torch.randn(17, 3)}
    assert all(torch.equal(state[name], tensor) for name, tensor in resample(state, (4, 4), (4, 4)).items())
    moved = resample(state, (4, 4), (6, 6))
    assert torch.equal(moved["pos_embed"][:, :1], state["pos_embed"][:, :1])
    assert torch.equal(moved["backend.blocks.0.attention.project_keys"][:1], state[
        "backend.blocks.0.attention.project_keys"][:1])  # fmt: skip


def smooth(grid, maps):
    """Class token and patches of pictures without detail, on any grid."""
    patches = F.interpolate(maps, size=grid, mode="bicubic", align_corners=False)
    return torch.cat([maps.mean(dim=(2, 3)).unsqueeze(1), patches.flatten(2).transpose(1, 2)], dim=1)


@pytest.mark.parametrize("side", [12, 16])
@pytest.mark.parametrize("seed", range(3))
def test_attention_hardly_moves_under_the_rule_and_doubles_without_it(seed, side):
    torch.manual_seed(seed)
    dim, k = 64, 16
    old, new = (8, 8), (side, side)
    small = LinformerAttention(Tokens(1, old), dim, heads=4, head_dim=16, k=k, proj_init="peer").double()
    torch.nn.init.normal_(small.qkv.weight, std=dim**-0.5)
    large = LinformerAttention(Tokens(1, new), dim, heads=4, head_dim=16, k=k).double()
    maps = torch.randn(2, dim, 4, 4, dtype=torch.float64)
    expected = small(smooth(old, maps))[:, 0]
    factor = math.prod(new) / math.prod(old)

    def moved(scale):
        state = dict(small.state_dict())
        for name in ("project_keys", "project_values"):
            state[name] = projection(state[name], old, new)
            state[name][1:] *= scale
        large.load_state_dict(state)
        return ((large(smooth(new, maps))[:, 0] - expected).norm() / expected.norm()).item()

    assert moved(1) < 0.05
    assert moved(factor) > 1


@pytest.mark.parametrize(
    "chosen", [{}, {"sharing": "none"}, {"sharing": "layerwise"}, {"project_prefix": False}, {"projection": "avgpool"}]
)
def test_a_net_on_another_grid_takes_the_resampled_tensors(chosen):
    nets = [
        ViT(size, 8, dim=16, backend=partial(Linformer, depth=2, heads=2, k=5, **chosen), classes=3)
        for size in (32, (40, 48))
    ]
    nets[1].load_state_dict(resample(nets[0].state_dict(), nets[0].grid, nets[1].grid))


def test_a_kernel_grows_with_its_cell_and_keeps_its_sum():
    nets = [
        ViT(size, 8, dim=16, backend=partial(Linformer, depth=1, heads=2, k=5, projection="conv"), classes=3)
        for size in (32, 64)
    ]
    moved = resample(nets[0].state_dict(), nets[0].grid, nets[1].grid)
    nets[1].load_state_dict(moved)
    name = "backend.blocks.0.attention.project_keys"
    assert moved[name].shape == (1, 1, 4, 4)
    torch.testing.assert_close(moved[name].sum(), nets[0].state_dict()[name].sum())
