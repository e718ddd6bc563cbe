"""ViT: the classic sizes, its keys, its poolings, and what it refuses."""

from __future__ import annotations

import inspect
import re
import typing
import warnings
from functools import partial

import pytest
import torch
from torch import nn

from vitcli.errors import ConfigError
from vitcli.net import Backend, Linformer, VanillaTransformer, ViT

pytestmark = pytest.mark.filterwarnings("ignore:.*costs more than it saves")
BOTH = pytest.mark.parametrize("kind", [VanillaTransformer, Linformer])


def small(kind=VanillaTransformer, **chosen):
    backend = partial(kind, **{"depth": 2, "heads": 2, **chosen.pop("backend", {})})
    return ViT(**{"image_size": 32, "patch_size": 8, "dim": 16, "classes": 3, **chosen}, backend=backend)


def parameters(net):
    return sum(parameter.numel() for parameter in net.parameters())


def formula(tokens, patch, dim, depth, classes, projections=0):
    layer = 12 * dim**2 + 13 * dim + 2 * projections
    return patch * dim + dim + tokens * dim + dim + 2 * dim + dim * classes + classes + depth * layer


def test_the_binary_example_pools_50_tokens_of_128_to_two_logits():
    net = ViT(224, 32, dim=128, pool="mean", backend=partial(Linformer, depth=12, heads=8, k=64), classes=2)
    images = torch.randn(2, 3, 224, 224)
    assert net.tokens == 50
    assert net.grid == (7, 7)
    features = net.features(images)
    assert features.shape == (2, 50, 128)
    logits = net(images)
    assert logits.shape == (2, 2)
    torch.testing.assert_close(logits, net.head(features.mean(dim=1)))
    assert parameters(net) == formula(50, 3 * 32**2, 128, 12, 2, projections=50 * 64) == 2_779_650 + 12 * 2 * 50 * 64


HEADLINE = {"image_size": 2048, "patch_size": 32, "dim": 512, "classes": 1000}


def test_the_headline_has_4097_tokens_and_67_million_parameters():
    with torch.device("meta"):
        net = ViT(**HEADLINE, backend=partial(Linformer, depth=12, heads=8, k=256))
    assert net.tokens == 4097
    assert net(torch.empty(1, 3, 2048, 2048, device="meta")).shape == (1, 1000)
    assert parameters(net) == formula(4097, 3 * 32**2, 512, 12, 1000, projections=4097 * 256)


@pytest.mark.slow
def test_the_headline_makes_a_thousand_logits():
    net = ViT(**HEADLINE, backend=partial(Linformer, depth=12, heads=8, k=256)).eval()
    with torch.no_grad():
        logits = net(torch.rand(1, 3, 2048, 2048))
    assert logits.shape == (1, 1000)
    assert logits.isfinite().all()


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [((224, 32, 128, 12, 8, 2), 2_779_650), ((2048, 32, 512, 12, 8, 1000), 42_014_184)],
)
def test_vanilla_has_as_many_parameters_as_timm(sizes, expected):
    image, patch, dim, depth, heads, classes = sizes
    with torch.device("meta"):
        net = ViT(image, patch, dim=dim, backend=partial(VanillaTransformer, depth=depth, heads=heads), classes=classes)
    assert parameters(net) == expected


BLOCK = [
    "norm1.weight", "norm1.bias", "attention.qkv.weight", "attention.qkv.bias", "attention.proj.weight",
    "attention.proj.bias", "norm2.weight", "norm2.bias", "mlp.fc1.weight", "mlp.fc1.bias", "mlp.fc2.weight",
    "mlp.fc2.bias",
]  # fmt: skip
OUTSIDE = [
    "patches.proj.weight", "patches.proj.bias", "class_token", "pos_embed", "norm.weight", "norm.bias",
    "head.weight", "head.bias",
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "extra"), [(VanillaTransformer, []), (Linformer, ["attention.project_keys", "attention.project_values"])]
)
def test_state_dict_keys_are_the_file_format(kind, extra):
    inside = [f"backend.blocks.{index}.{name}" for index in range(2) for name in BLOCK + extra]
    assert sorted(small(kind).state_dict()) == sorted(OUTSIDE + inside)


def test_tables_have_the_shapes_of_timm():
    net = small()
    assert net.class_token.shape == (1, 1, 16)
    assert net.pos_embed.shape == (1, 17, 16)
    assert net.patches.proj.weight.shape == (16, 3, 8, 8)


def test_each_pool_sees_its_tokens():
    images = torch.randn(2, 3, 32, 32)
    for pool, pick in {
        "cls": lambda features: features[:, 0],
        "mean": lambda features: features.mean(dim=1),
        "mean_patches": lambda features: features[:, 1:].mean(dim=1),
    }.items():
        net = small(pool=pool).eval()
        torch.testing.assert_close(net(images), net.head(pick(net.features(images))))


def test_rectangles_are_height_by_width():
    net = small(image_size=(16, 48), patch_size=(4, 8))
    assert (net.image_size, net.patch_size, net.grid, net.tokens) == ((16, 48), (4, 8), (4, 6), 25)
    assert net(torch.randn(1, 3, 16, 48)).shape == (1, 3)


def unchecked(**chosen):
    """A net whose arguments jaxtyping does not see, as outside the tests."""
    net = object.__new__(ViT)
    inspect.unwrap(ViT.__init__)(net, **chosen)
    return net


def test_lists_serve_as_pairs():
    net = unchecked(image_size=[16, 48], patch_size=[4, 8])
    assert (net.image_size, net.patch_size) == ((16, 48), (4, 8))


@BOTH
@pytest.mark.parametrize("pool", ["cls", "mean", "mean_patches"])
def test_gradients_reach_every_parameter(kind, pool):
    net = small(kind, pool=pool)
    net(torch.randn(4, 3, 32, 32)).square().sum().backward()
    missing = [name for name, tensor in net.named_parameters() if tensor.grad is None or not tensor.grad.any()]
    assert missing == []


@BOTH
def test_an_empty_batch_gives_no_logits(kind):
    net = small(kind)
    logits = net(torch.zeros(0, 3, 32, 32))
    assert logits.shape == (0, 3)
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_dropout_acts_in_training_only():
    net, images = small(dropout=0.2), torch.randn(2, 3, 32, 32)
    assert not torch.equal(net.train()(images), net(images))
    assert torch.equal(net.eval()(images), net(images))


@BOTH
def test_training_without_dropout_is_evaluation(kind):
    net, images = small(kind), torch.randn(2, 3, 32, 32)
    assert torch.equal(net.train()(images), net.eval()(images))


def test_one_image_of_a_batch_does_not_touch_another(randomise):
    net = randomise(small(Linformer, backend={"k": 5}))
    images = torch.randn(3, 3, 32, 32, dtype=torch.float64)
    torch.testing.assert_close(net(images)[1:2], net(images[1:2]), rtol=0, atol=1e-12)


@BOTH
def test_half_precision_gives_half_precision_logits_near_the_full_ones(kind):
    net, images = small(kind).eval(), torch.randn(2, 3, 32, 32)
    expected = net(images)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = net(images)
    pure = net.bfloat16()(images.bfloat16())
    for logits in (mixed, pure):
        assert logits.dtype == torch.bfloat16
        torch.testing.assert_close(logits.float(), expected, rtol=0, atol=0.01)


@BOTH
def test_export_traces_the_net_for_any_batch(kind):
    net = small(kind, pool="mean").eval()
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(net, (torch.randn(2, 3, 32, 32),), dynamic_shapes=({0: batch},))
    images = torch.randn(5, 3, 32, 32)
    torch.testing.assert_close(program.module()(images), net(images))


@pytest.mark.parametrize(
    ("chosen", "line"),
    [
        ({"image_size": 30}, "image_size 30: not divisible by model.net.patch_size 8; the nearest size that is: 32"),
        ({"dim": -4}, "dim -4: must be at least 1"),
        ({"channels": 0}, "channels 0: must be at least 1"),
        ({"classes": 0}, "classes 0: must be at least 1"),
        ({"dropout": 1.5}, "dropout 1.5: must lie in [0, 1); 0 drops nothing"),
        ({"norm_eps": -1.0}, "norm_eps -1.0: must be a finite number above 0"),
        ({"backend": {"heads": 3}}, "backend.heads 3: does not divide model.net.dim 16; choose 2 or 4, "
         "or set model.net.backend.head_dim"),
    ],
)  # fmt: skip
def test_settings_that_make_no_net_are_refused_in_one_line(chosen, line):
    with pytest.raises(ConfigError) as caught:
        small(**chosen)
    assert str(caught.value) == f"model.net.{line}"


def test_an_unknown_pool_and_three_sides_are_refused():
    with pytest.raises(
        ConfigError, match=r"^model\.net\.pool 'max': must be one of cls, mean, mean_patches, attention, cls_mean$"
    ):
        unchecked(pool="max")
    with pytest.raises(ConfigError, match=r"^model\.net\.image_size \[32, 32, 3\]: give one side, or height and width"):
        unchecked(image_size=(32, 32, 3))


@typing.final
class Returning(Backend):
    """A backend that returns what a test wants of it."""

    answer: typing.Any = staticmethod(lambda tokens: tokens)

    def __init__(self, tokens: int, dim: int) -> None:
        super().__init__()

    def forward(self, tokens):
        return type(self).answer(tokens)


def test_a_backend_of_ones_own_is_taken():
    net = ViT(32, 8, dim=16, backend=Returning, classes=3)
    assert net.backend.training
    assert net(torch.zeros(1, 3, 32, 32)).shape == (1, 3)


def test_probing_a_backend_does_not_move_the_random_numbers(monkeypatch):
    states = []
    for _ in range(2):
        torch.manual_seed(1)
        ViT(32, 8, dim=16, backend=Returning, classes=3)
        states.append(torch.get_rng_state())
        monkeypatch.setattr(ViT, "_probe", lambda net: None)
    assert torch.equal(*states)


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (lambda tokens: tokens[:, 1:], r"returned shape (1, 16, 16) for tokens of shape (1, 17, 16); both must agree"),
        (lambda tokens: (tokens, None), r"returned a tuple for tokens of shape (1, 17, 16); both must agree"),
        (lambda tokens: tokens / 0, r"returned infinite or undefined numbers for plain tokens"),
        (lambda tokens: tokens @ tokens, r"failed on tokens of shape (1, 17, 16): "),
    ],
)
def test_a_backend_that_breaks_the_contract_is_refused_when_it_is_built(monkeypatch, answer, line):
    monkeypatch.setattr(Returning, "answer", staticmethod(answer))
    with pytest.raises(ConfigError, match=re.escape(f"model.net.backend Returning: {line}")) as caught:
        ViT(32, 8, dim=16, backend=Returning, classes=3)
    assert "\n" not in str(caught.value)


def test_a_module_that_is_no_backend_is_refused():
    with pytest.raises(ConfigError, match=r"^model\.net\.backend Linear: is no Backend; derive it from vitcli\.net"):
        ViT(32, 8, dim=16, backend=nn.Linear, classes=3)


def test_a_net_within_its_means_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(Linformer, backend={"k": 8})
