"""Backends: what they refuse, warn of, and record."""

from __future__ import annotations

import typing
import warnings

import pytest
import torch

from vitcli.errors import ConfigError
from vitcli.net import Backend, Linformer, VanillaTransformer
from vitcli.net.backend import arguments

BOTH = pytest.mark.parametrize("kind", [VanillaTransformer, Linformer])


def build(kind, tokens=50, dim=16, **chosen):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return kind(tokens, dim, **{"depth": 2, "heads": 2, **chosen})


@BOTH
@pytest.mark.parametrize(
    ("chosen", "line"),
    [
        ({"heads": 3}, "heads 3: does not divide model.net.dim 16; choose 2 or 4, or set model.net.backend.head_dim"),
        ({"heads": 32}, "heads 32: does not divide model.net.dim 16; choose 16, or set model.net.backend.head_dim"),
        ({"heads": 0}, "heads 0: must be at least 1"),
        ({"depth": 0}, "depth 0: must be at least 1"),
        ({"head_dim": -1}, "head_dim -1: must be at least 1"),
        ({"dropout": 1.0}, "dropout 1.0: must lie in [0, 1); 0 drops nothing"),
        ({"attention_dropout": -0.1}, "attention_dropout -0.1: must lie in [0, 1); 0 drops nothing"),
        ({"mlp_ratio": 0.0}, "mlp_ratio 0.0: must be a finite number above 0"),
        ({"mlp_ratio": float("nan")}, "mlp_ratio nan: must be a finite number above 0"),
        ({"mlp_ratio": 0.01}, "mlp_ratio 0.01: leaves no hidden feature at model.net.dim 16"),
        ({"norm_eps": 0.0}, "norm_eps 0.0: must be a finite number above 0"),
        ({"layer_scale": -1e-5}, "layer_scale -1e-05: must be a finite number of at least 0"),
        ({"layer_scale": float("inf")}, "layer_scale inf: must be a finite number of at least 0"),
    ],
)
def test_settings_that_make_no_backend_are_refused_in_one_line(kind, chosen, line):
    with pytest.raises(ConfigError) as caught:
        build(kind, **chosen)
    assert str(caught.value) == f"model.net.backend.{line}"


def test_k_below_one_is_refused():
    with pytest.raises(ConfigError, match=r"^model\.net\.backend\.k 0: must be at least 1$"):
        build(Linformer, k=0)


@BOTH
def test_heads_need_not_divide_dim_when_their_width_is_given(kind):
    backend = build(kind, heads=3, head_dim=5)
    assert backend.blocks[0].attention.qkv.weight.shape == (45, 16)
    assert backend(torch.randn(1, 50, 16)).shape == (1, 50, 16)


@pytest.mark.parametrize(("k", "warned"), [(24, 0), (25, 1), (64, 1)])
def test_linformer_says_once_when_it_costs_more_than_it_saves(k, warned):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Linformer(50, 16, depth=3, heads=2, k=k)
    assert [str(warning.message) for warning in caught] == warned * [
        f"model.net.backend.k {k}: Linformer with k = {k} for 50 tokens costs more than it saves; "
        "it pays below k = 25, or use VanillaTransformer"
    ]


def test_both_backends_spell_shared_arguments_alike_and_in_the_same_order():
    vanilla = list(arguments(VanillaTransformer).values())
    linformer = list(arguments(Linformer).values())
    assert len(vanilla) == 14
    assert linformer[: len(vanilla)] == vanilla
    assert [parameter.name for parameter in linformer[len(vanilla) :]] == [
        "k", "sharing", "projection", "project_prefix", "proj_init", "one_kv_head", "tie_kv",
    ]  # fmt: skip


@BOTH
def test_settings_rebuild_the_backend(kind):
    chosen = {"depth": 3, "heads": 4, "head_dim": 5, "mlp_ratio": 2.5, "qkv_bias": False, "dropout": 0.1}
    backend = build(kind, **chosen)
    again = build(kind, **backend.settings())
    assert {**chosen, "attention_dropout": 0.0, "norm_eps": 1e-6}.items() <= backend.settings().items()
    assert again.settings() == backend.settings()
    shapes = [{name: tensor.shape for name, tensor in each.state_dict().items()} for each in (backend, again)]
    assert shapes[0] == shapes[1]


def test_a_subclass_that_forgets_an_argument_is_told_which():
    @typing.final
    class Forgetful(Backend):
        def __init__(self, tokens: int, dim: int, width: int = 3) -> None:
            super().__init__()

        def forward(self, tokens):
            return tokens

    with pytest.raises(TypeError, match=r"Forgetful does not store its argument 'width'; set self\.width"):
        Forgetful(5, 8).settings()


def test_a_subclass_that_stores_no_plain_value_is_told_which():
    @typing.final
    class Odd(Backend):
        def __init__(self, tokens: int, dim: int, width: object = None) -> None:
            super().__init__()
            self.width = {1, 2}

        def forward(self, tokens):
            return tokens

    with pytest.raises(TypeError, match=r"Odd\.width is a set; a checkpoint holds numbers, words and lists"):
        Odd(5, 8).settings()


def test_backend_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Backend()


@BOTH
def test_dropout_acts_in_training_only(kind):
    backend = build(kind, dropout=0.3)
    tokens = torch.randn(2, 50, 16)
    assert not torch.equal(backend.train()(tokens), backend(tokens))
    assert torch.equal(backend.eval()(tokens), backend(tokens))
