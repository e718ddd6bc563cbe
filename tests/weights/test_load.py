"""load_into: one net starts from another, and the report says what came of it."""

from __future__ import annotations

import warnings
from functools import partial

import pytest
import torch

from vitcli.errors import WeightsError
from vitcli.net import Linformer, VanillaTransformer, ViT
from vitcli.weights import import_net, load_into

timm_vit = pytest.importorskip("timm.models.vision_transformer")
vision = pytest.importorskip("torchvision.models.vision_transformer")


def small(kind=VanillaTransformer, inner=None, **chosen):
    backend = partial(kind, **{"depth": 2, "heads": 4, **(inner or {})})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return ViT(**{"image_size": 32, "patch_size": 8, "dim": 24, "classes": 5, **chosen}, backend=backend)


def timm_peer(**chosen):
    sizes = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 4, "num_classes": 5}
    return timm_vit.VisionTransformer(**{**sizes, **chosen})


def torchvision_peer(size=32):
    return vision.VisionTransformer(size, 8, num_layers=2, num_heads=4, hidden_dim=24, mlp_dim=96, num_classes=5)


def test_a_peers_tensors_start_a_net(randomise):
    peer, net = randomise(timm_peer()), small().double().eval()
    assert str(load_into(net, peer.state_dict(), heads=4)) == "32 tensors loaded"
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    torch.testing.assert_close(net(images), peer(images), rtol=0, atol=1e-9)


@pytest.mark.parametrize("size", [48, 16])
@pytest.mark.parametrize("chosen", [{}, {"reg_tokens": 2, "no_embed_class": True}])
def test_timms_positions_move_as_timm_moves_them(randomise, size, chosen):
    peer = randomise(timm_peer(**chosen))
    said = {"registers": 2, "positions": "learned_patches"} if chosen else {}
    net = small(image_size=size, **said).double().eval()
    report = load_into(net, peer.state_dict(), heads=4)
    assert report.resampled == ("pos_embed",)
    assert str(report).endswith(f"resampled: pos_embed; grid 4 x 4 -> {size // 8} x {size // 8}")
    peer.set_input_size((size, size))
    images = torch.randn(2, 3, size, size, dtype=torch.float64)
    torch.testing.assert_close(net(images), peer(images), rtol=0, atol=1e-6)


def test_torchvisions_positions_move_as_torchvision_moves_them(randomise):
    peer, larger = randomise(torchvision_peer()), torchvision_peer(48).double().eval()
    larger.load_state_dict(vision.interpolate_embeddings(48, 8, peer.state_dict()))
    net = small(image_size=48).double().eval()
    load_into(net, randomise(peer).state_dict(), heads=4)
    larger.load_state_dict(vision.interpolate_embeddings(48, 8, peer.state_dict()))
    images = torch.randn(2, 3, 48, 48, dtype=torch.float64)
    torch.testing.assert_close(net(images), larger(images), rtol=0, atol=1e-6)


def test_a_head_of_another_class_count_stays_fresh():
    net = small(classes=2)
    before = net.head.weight.clone()
    report = load_into(net, small())
    assert torch.equal(net.head.weight, before)
    assert str(report) == "30 tensors loaded; left fresh: head.weight, head.bias"


def test_a_head_that_fits_may_stay_fresh_too():
    net = small()
    assert load_into(net, small(), head=False).fresh == ("head.weight", "head.bias")


def test_a_hidden_layer_before_the_head_goes_with_it():
    assert load_into(small(classes=2), small(pre_logits=10)).fresh == ("head.weight", "head.bias")


def smooth(size):
    return torch.nn.functional.interpolate(torch.randn(2, 3, 4, 4), size=size, mode="bicubic").double()


@pytest.mark.parametrize("inner", [{}, {"sharing": "none"}, {"sharing": "kv"}, {"project_prefix": False, "k": 64}])
def test_full_attention_with_as_many_cells_as_patches_starts_its_equal(randomise, inner):
    source = randomise(small(image_size=64))
    net = small(Linformer, {"k": 65, **inner}, image_size=64).double().eval()
    report = load_into(net, source)
    images = smooth(64)
    torch.testing.assert_close(net(images), source(images), rtol=0, atol=1e-9)
    assert str(report).endswith("key biases set to zero")


@pytest.mark.parametrize(
    ("inner", "begun"),
    [
        ({},
         "initialised as averages: backend.blocks.*.attention.project_keys, "
         "backend.blocks.*.attention.project_values; "),
        ({"sharing": "layerwise"}, "initialised as averages: backend.shared_projection; "),
        ({"projection": "conv"},
         "initialised as averages: backend.blocks.*.attention.project_keys, "
         "backend.blocks.*.attention.project_values; "),
        ({"projection": "avgpool"}, ""),
    ],
)  # fmt: skip
def test_full_attention_starts_a_linformer_near_itself(randomise, inner, begun):
    source = randomise(small(image_size=64))
    net = small(Linformer, {"k": 17, **inner}, image_size=64).double().eval()
    # a random start, for comparison
    other = small(Linformer, {"k": 17}, image_size=64).double().eval()
    other.load_state_dict(other.state_dict() | source.state_dict())
    assert str(load_into(net, source)).startswith(f"32 tensors loaded; {begun}")
    images = smooth(64)
    expected = source(images)
    assert (net(images) - expected).norm() < 0.5 * (other(images) - expected).norm()


def test_a_linformer_moves_onto_another_grid():
    source, net = small(Linformer, {"k": 5}), small(Linformer, {"k": 5}, image_size=48)
    report = load_into(net, source)
    assert str(report) == (
        "36 tensors loaded; resampled: pos_embed, backend.blocks.*.attention.project_keys, "
        "backend.blocks.*.attention.project_values; grid 4 x 4 -> 6 x 6"
    )
    images = torch.nn.functional.interpolate(torch.randn(1, 3, 32, 32), scale_factor=1.5)
    assert net(images).isfinite().all()


@pytest.mark.parametrize(
    ("net", "source", "line"),
    [
        ({"inner": {"heads": 2}}, {},
         "model.net.backend.heads 2: the weights were made with 4; set model.net.backend.heads 4"),
        ({"inner": {"activation": "quick_gelu"}}, {}, "model.net.backend.activation quick_gelu: the weights were made"),
        ({"norm_eps": 1e-5}, {}, "model.net.norm_eps 1e-05: the weights were made with 1e-06; set model.net.norm_eps"),
        ({"dim": 32}, {}, "model.net.dim 32: the weights were made with 24; set model.net.dim 24"),
        ({"patch_size": 16}, {}, "model.net.patch_size [16, 16]: the weights were made with [8, 8]; set mo"),
        ({"registers": 1}, {}, "model.net.registers 1: the weights were made with 0; set model.net.registers 0"),
        ({"inner": {"depth": 1}}, {}, "model.net.backend.depth 1: the weights were made with 2; set model.net"),
        ({"inner": {"depth": 1}, "pool": "mean"}, {}, "model.net.backend.depth 1: the weights were made with 2"),
        ({"inner": {"mlp_ratio": 2.0}}, {}, "model.net.backend.mlp_ratio 2.0: the weights were made with 4.0; set"),
        ({"inner": {"qkv_bias": False}}, {}, "model.net.backend.qkv_bias false: the weights were made with true; set"),
        ({"inner": {"out_proj": "unbiased"}}, {}, "model.net.backend.out_proj unbiased: the weights were made with"),
        ({}, {"kind": Linformer},
         "model.net.backend VanillaTransformer: cannot begin with the weights of Linformer; set model.net.backend"),
        ({"kind": Linformer, "inner": {"k": 3}}, {"kind": Linformer, "inner": {"k": 4}},
         "model.net.backend.k 3: the weights were made with 4; set model.net.backend.k 4"),
        ({"kind": Linformer, "inner": {"k": 5, "sharing": "kv"}}, {"kind": Linformer, "inner": {"k": 5}},
         "model.net.backend.sharing kv: the weights were made with headwise; set model.net.backend.sharing headwise"),
        ({"kind": Linformer, "inner": {"k": 5, "one_kv_head": True}}, {},
         "model.net.backend.one_kv_head true: the weights were made with false; set model.net.backend.one_kv_head fa"),
        ({"class_token": False, "pool": "mean"}, {}, "model.net.class_token false: the weights were made with true"),
    ],
)  # fmt: skip
def test_nets_that_are_not_alike_are_refused_in_one_line(net, source, line):
    with pytest.raises(WeightsError) as caught:
        load_into(small(**net), small(**source))
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_another_pool_is_noted():
    assert str(load_into(small(pool="mean"), small())) == "32 tensors loaded; pool cls -> mean"


def test_what_the_source_lacks_stays_fresh():
    report = load_into(small(registers=2, inner={"layer_scale": 0.1}, positions="learned_patches"), import_net(
        timm_peer(no_embed_class=True).state_dict(), heads=4))  # fmt: skip
    assert str(report).endswith("left fresh: register_tokens, backend.blocks.*.scale1, backend.blocks.*.scale2")
