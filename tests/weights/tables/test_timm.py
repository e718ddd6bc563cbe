"""timm: every variant of its VisionTransformer, imported, computes timm's logits and gradients."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from vitcli.errors import WeightsError
from vitcli.weights import import_net

timm_vit = pytest.importorskip("timm.models.vision_transformer")
layers = pytest.importorskip("timm.layers")
SIZES = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 3, "num_heads": 4, "num_classes": 5}
RECTANGLE = {"img_size": (32, 48), "patch_size": (8, 12)}
VARIANTS = {
    "class token": ({}, {}),
    "no class token": ({"class_token": False, "global_pool": "avg"}, {}),
    "no class token, norm before": ({"class_token": False, "global_pool": "avg", "fc_norm": False}, {}),
    "registers": ({"reg_tokens": 4}, {}),
    "registers, mean": ({"reg_tokens": 4, "global_pool": "avg"}, {}),
    "positions for patches only": ({"no_embed_class": True}, {}),
    "registers, positions for patches only": ({"no_embed_class": True, "reg_tokens": 3}, {}),
    "no positions": ({"pos_embed": "none"}, {"image_size": 32}),
    "layer scale": ({"init_values": 0.1}, {}),
    "qk norm": ({"qk_norm": True}, {"heads": None}),
    "pre norm": ({"pre_norm": True}, {}),
    "no qkv bias": ({"qkv_bias": False}, {}),
    "one head": ({"num_heads": 1}, {"heads": 1}),
    "mean over patches": ({"global_pool": "avg"}, {}),
    "mean over patches, norm before": ({"global_pool": "avg", "fc_norm": False}, {"pool": "mean_patches"}),
    "mean over all": ({"global_pool": "avg", "pool_include_prefix": True}, {"pool": "mean"}),
    "no final norm": ({"final_norm": False}, {}),
    "rectangle": (RECTANGLE, {"image_size": (32, 48)}),
    "rectangle by square patches": ({"img_size": (16, 72)}, {"image_size": [16, 72], "patch_size": 8}),
    "one colour": ({"in_chans": 1}, {}),
    "tanh gelu": ({"act_layer": layers.get_act_layer("gelu_tanh")}, {"activation": "gelu_tanh"}),
    "quick gelu": ({"act_layer": layers.get_act_layer("quick_gelu")}, {"activation": "quick_gelu"}),
    "norm eps": ({"norm_layer": partial(nn.LayerNorm, eps=1e-3)}, {"norm_eps": 1e-3}),
    "wide mlp": ({"mlp_ratio": 50 / 24 + 1e-9}, {}),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_imported_net_computes_what_timm_computes(randomise, same, variant):
    chosen, said = VARIANTS[variant]
    peer = randomise(timm_vit.VisionTransformer(**{**SIZES, **chosen}))
    size = peer.patch_embed.img_size
    net = same(peer, size, **{"heads": 4, **said})
    assert net.image_size == size
    torch.testing.assert_close(
        net(torch.ones(1, net.channels, *size)), peer.float()(torch.ones(1, net.channels, *size)), rtol=0, atol=2e-5
    )


def test_everything_at_once(randomise, same):
    chosen = {
        "reg_tokens": 2, "no_embed_class": True, "init_values": 0.1, "qk_norm": True, "pre_norm": True,
        "global_pool": "avg", "qkv_bias": False, **RECTANGLE,
    }  # fmt: skip
    same(randomise(timm_vit.VisionTransformer(**{**SIZES, **chosen})), (32, 48), source="timm", image_size=(32, 48))


@pytest.mark.parametrize("registers", [0, 4])
def test_a_file_of_dinov2_itself_is_what_timm_makes_of_it(randomise, registers):
    chosen = {"init_values": 0.1, "num_classes": 0, "global_pool": "token"}
    peer = timm_vit.VisionTransformer(**{**SIZES, **chosen}, reg_tokens=registers, no_embed_class=registers > 0)
    theirs = {name: tensor.clone() for name, tensor in randomise(peer).state_dict().items()}
    theirs["mask_token"] = torch.ones(1, 24)
    if registers:
        theirs["register_tokens"] = theirs.pop("reg_token")
        theirs["pos_embed"] = torch.randn(1, 17, 24, dtype=torch.float64)
    net = import_net(theirs, heads=4, classes=5)
    peer.load_state_dict(timm_vit.checkpoint_filter_fn(dict(theirs), peer))
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(net.pooled(net.features(images)), peer.eval()(images), rtol=0, atol=1e-9)


@pytest.mark.parametrize(("name", "heads"), [("vit_tiny_patch16_224", 3), ("vit_small_patch32_224", 6)])
def test_published_widths_know_their_heads(name, heads):
    peer = timm_vit.__dict__[name](depth=1)
    assert import_net(peer.state_dict()).backend.heads == heads


@pytest.mark.shared_data
def test_deit_tiny_computes_the_logits_of_timm(shared_data):
    from safetensors.torch import load_file

    state = load_file(shared_data / "weights" / "deit_tiny_patch16_224.safetensors")
    peer = pytest.importorskip("timm").create_model("deit_tiny_patch16_224").eval()
    peer.load_state_dict(state)
    net = import_net(state)
    images = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        torch.testing.assert_close(net(images), peer(images), rtol=0, atol=2e-5)
        torch.testing.assert_close(
            import_net({name: tensor.double() for name, tensor in state.items()})(images.double()),
            peer.double()(images.double()),
            rtol=0,
            atol=1e-9,
        )


@pytest.mark.parametrize(
    ("chosen", "said", "line"),
    [
        ({}, {}, "blocks.0.attn.qkv.weight does not show how many heads share its 24 features; say heads="),
        ({}, {"heads": 5}, "heads 5 do not divide the 24 features of blocks.0.attn.qkv.weight"),
        ({"qk_norm": True}, {"heads": 3}, "heads 3, but blocks.0.attn.qkv.weight and its heads of 6 features show 4"),
        ({}, {"heads": 4, "patch_size": 16}, "patch_size 16, but patch_embed.proj.weight of shape [24, 3, 8, 8] shows"),
        ({}, {"heads": 4, "image_size": 64}, "image_size 64 makes 64 patches, but pos_embed has 17 rows; leave"),
        ({}, {"heads": 4, "classes": 3}, "classes 3, but head.weight of shape [5, 24] shows 5; leave classes out"),
        (
            {"img_size": (32, 40)},
            {"heads": 4},
            "pos_embed has 21 rows, which is no square grid of patches after a prefix of 1",
        ),
        ({"class_token": False, "global_pool": "avg"}, {"heads": 4, "pool": "cls"}, "pool cls, but there is no class"),
        ({"num_classes": 0}, {"heads": 4}, "hold no head; say classes= for a fresh one of so many logits"),
        ({"pos_embed": "none"}, {"heads": 4}, "no tensor shows the image's size; say image_size="),
        ({}, {"heads": 4, "pool": "max"}, "these tensors make no net: model.net.pool max: must be"),
        ({}, {"heads": 4, "pool": "attention"}, "lack attention_pool.query, which the other tensors require"),
        ({}, {"heads": 4, "depth": 4}, "import knows no depth; it has heads, image_size"),
        ({"global_pool": "map"}, {"heads": 4}, "no ViT of timm has attn_pool.latent, attn_pool.q.weight, "),
    ],
)
def test_what_contradicts_the_tensors_is_refused_in_one_line(chosen, said, line):
    peer = timm_vit.VisionTransformer(**{**SIZES, **chosen})
    with pytest.raises(WeightsError) as caught:
        import_net(peer.state_dict(), **said)
    assert str(caught.value).startswith(f"weights: {line}")
    assert "\n" not in str(caught.value)


def test_a_missing_head_may_be_fresh():
    peer = timm_vit.VisionTransformer(**{**SIZES, "num_classes": 0})
    assert import_net(peer.state_dict(), heads=4, classes=7).head.weight.shape == (7, 24)


def test_a_missing_and_a_misshapen_tensor_are_named():
    state = timm_vit.VisionTransformer(**SIZES).state_dict()
    less = {name: tensor for name, tensor in state.items() if name != "blocks.1.norm2.bias"}
    with pytest.raises(
        WeightsError, match=r"^weights: lack backend\.blocks\.1\.norm2\.bias, which the other tensors require$"
    ):
        import_net(less, heads=4)
    with pytest.raises(
        WeightsError, match=r"blocks\.2\.mlp\.fc2\.bias is of shape \[3\], but the others require \[24\]"
    ):
        import_net({**state, "blocks.2.mlp.fc2.bias": torch.zeros(3)}, heads=4)
    with pytest.raises(WeightsError, match=r"patch_embed\.proj\.weight of shape \[24, 192\] should have 4 dimensions"):
        import_net({**state, "patch_embed.proj.weight": torch.zeros(24, 192)}, heads=4)


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.", "net.", "model.net.", "module._orig_mod."])
def test_prefixes_and_wrappers_are_taken_off(prefix):
    state = timm_vit.VisionTransformer(**SIZES).state_dict()
    behind = {f"{prefix}{name}": tensor for name, tensor in state.items()}
    for wrapped in (behind, {"model": behind, "epoch": 3}, {"state_dict": behind, "callbacks": {}}):
        assert torch.equal(import_net(wrapped, heads=4).head.weight, state["head.weight"])


def test_a_compiled_block_inside_is_the_block():
    state = timm_vit.VisionTransformer(**SIZES).state_dict()
    compiled = {name.replace("blocks.1.", "blocks.1._orig_mod."): tensor for name, tensor in state.items()}
    import_net(compiled, heads=4)


def test_half_precision_becomes_single():
    state = {name: tensor.bfloat16() for name, tensor in timm_vit.VisionTransformer(**SIZES).state_dict().items()}
    assert {tensor.dtype for tensor in import_net(state, heads=4).state_dict().values()} == {torch.float32}


def test_what_acts_in_training_only_may_be_said():
    state = timm_vit.VisionTransformer(**SIZES).state_dict()
    net = import_net(state, heads=4, dropout=0.1, head_dropout=0.2, stochastic_depth=0.3, activation_checkpointing=True)
    assert (net.dropout, net.head_dropout, net.backend.dropout, net.backend.stochastic_depth) == (0.1, 0.2, 0.1, 0.3)
    assert net.backend.activation_checkpointing
