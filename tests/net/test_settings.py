"""Settings: a net goes into a checkpoint as plain values, and comes back trusting none of them."""

from __future__ import annotations

import sys
import typing
import warnings
from functools import partial

import pytest
import torch

from vitcli.errors import ConfigError
from vitcli.net import Backend, Linformer, VanillaTransformer, ViT, build


def small(backend=None):
    backend = backend or partial(Linformer, depth=2, heads=2, k=5)
    return ViT(
        (32, 16), (8, 4), channels=1, dim=16, pool="mean", dropout=0.1, norm_eps=1e-5, backend=backend, classes=3
    )


def shapes(net):
    return {name: tensor.shape for name, tensor in net.state_dict().items()}


def test_settings_are_the_constructor_arguments():
    assert small().settings() == {
        "image_size": [32, 16],
        "patch_size": [8, 4],
        "channels": 1,
        "dim": 16,
        "pool": "mean",
        "dropout": 0.1,
        "norm_eps": 1e-5,
        "backend": {
            "class_path": "vitcli.net.Linformer",
            "init_args": {
                "depth": 2,
                "heads": 2,
                "head_dim": None,
                "mlp_ratio": 4.0,
                "qkv_bias": True,
                "dropout": 0.0,
                "attention_dropout": 0.0,
                "norm_eps": 1e-6,
                "out_proj": "biased",
                "qk_norm": False,
                "activation": "gelu",
                "layer_scale": None,
                "stochastic_depth": 0.0,
                "activation_checkpointing": False,
                "k": 5,
                "sharing": "headwise",
                "projection": "linear",
                "project_prefix": True,
                "proj_init": "unit",
                "one_kv_head": False,
                "tie_kv": False,
            },
        },
        "classes": 3,
        "class_token": True,
        "registers": 0,
        "positions": "learned",
        "patch_bias": True,
        "patch_norm": False,
        "pre_norm": False,
        "final_norm": "before_pool",
        "pool_score": "dot",
        "pre_logits": None,
        "head_dropout": 0.0,
        "head_layers": 1,
        "stem": "patches",
    }


@pytest.mark.parametrize("kind", [VanillaTransformer, Linformer])
def test_build_makes_the_same_net(kind):
    net = small(partial(kind, depth=2, heads=3, head_dim=5, **({"k": 4} if kind is Linformer else {})))
    again = build(net.settings())
    assert type(again.backend) is kind
    assert shapes(again) == shapes(net)
    assert again.settings() == net.settings()
    images = torch.randn(2, 1, 32, 16)
    again.load_state_dict(net.state_dict())
    assert torch.equal(again.eval()(images), net.eval()(images))


def test_settings_survive_a_file_that_holds_no_code(tmp_path):
    torch.save(small().settings(), tmp_path / "settings.pt")
    assert shapes(build(torch.load(tmp_path / "settings.pt", weights_only=True))) == shapes(small())


def test_what_is_left_out_keeps_its_default():
    assert build({"dim": 8, "backend": {"class_path": "vitcli.net.VanillaTransformer"}}).settings()["classes"] == 1000


def test_rebuilding_does_not_warn_again():
    with pytest.warns(UserWarning, match="costs more"):
        settings = small(partial(Linformer, depth=1, heads=2)).settings()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build(settings)


@typing.final
class Mine(Backend):
    """Somebody's own backend."""

    def __init__(self, tokens: int, dim: int, width: int = 4, sizes: tuple[int, int] = (1, 2)) -> None:
        super().__init__()
        self.width = width
        self.sizes = sizes
        self.layer = torch.nn.Linear(dim, dim)

    def forward(self, tokens):
        return self.layer(tokens)


def test_an_imported_backend_is_found_by_its_path():
    settings = small(partial(Mine, width=6, sizes=(3, 4))).settings()
    assert settings["backend"] == {"class_path": f"{__name__}.Mine", "init_args": {"width": 6, "sizes": [3, 4]}}
    again = build(settings)
    assert type(again.backend) is Mine
    assert again.backend.sizes == (3, 4)


def test_the_long_path_is_known_too():
    assert type(build({"backend": {"class_path": "vitcli.net.transformer.linformer.Linformer"}}).backend) is Linformer


@pytest.mark.parametrize("path", ["colorsys.rgb_to_hsv", "torch.nn.Linear", "vitcli.net.Backend", "os.system", ""])
def test_a_path_that_is_no_known_backend_is_refused_and_not_imported(path):
    sys.modules.pop("colorsys", None)
    with pytest.raises(ConfigError, match=r"^model\.net\.backend .*: no such backend here; import its module first"):
        build({"backend": {"class_path": path}})
    assert "colorsys" not in sys.modules


LINFORMER = {"class_path": "vitcli.net.Linformer"}
REFUSED = {
    "model.net.dim 16: must be int": {"dim": "16"},
    "model.net.dim True: must be int": {"dim": True},
    "model.net.dim 16.0: must be int": {"dim": 16.0},
    "model.net.dim None: must be int": {"dim": None},
    "model.net.dim 1048577: absurdly large": {"dim": 2**20 + 1},
    "model.net.image_size [32]: must be int | tuple[int, int]": {"image_size": [32]},
    "model.net.image_size [32, 'a']: must be int | tuple[int, int]": {"image_size": [32, "a"]},
    "model.net.pool max: must be Literal['cls', 'mean', 'mean_patches', 'attention', 'cls_mean']": {"pool": "max"},
    "model.net.dropout nan: must be float": {"dropout": float("nan")},
    "model.net.patch_size 0: must be at least 1 pixel": {"patch_size": 0},
    "model.net.image_size 225: not divisible": {"image_size": 225},
    "model.net: knows no setting 'depth'; it has image_size, patch_size, ": {"depth": 2},
    "model.net: 4.0e+13 parameters; more than 8.6e+09 are not built": {"dim": 2**19, "channels": 2**10},
    "model.net.backend: must be a mapping of settings, not a str": {"backend": "Linformer"},
    "model.net.backend: must hold class_path (a word) and init_args, but holds nothing": {"backend": {}},
    "model.net.backend: must hold class_path (a word) and init_args, but holds class_path, x": {
        "backend": {**LINFORMER, "x": 1}
    },
    "model.net.backend.init_args: must be a mapping": {"backend": {**LINFORMER, "init_args": [1]}},
    "model.net.backend: knows no setting 'kk'; it has depth, ": {"backend": {**LINFORMER, "init_args": {"kk": 1}}},
    "model.net.backend: knows no setting 'tokens'": {"backend": {**LINFORMER, "init_args": {"tokens": 1}}},
    "model.net.backend.k []: must be int | tuple[int, ...]": {"backend": {**LINFORMER, "init_args": {"k": []}}},
    "model.net.backend.k [3, 'a']: must be int": {"backend": {**LINFORMER, "init_args": {"k": [3, "a"]}}},
    "model.net.registers -1: must be at least": {"registers": -1},
    "model.net.pool cls: model.net.class_token is false; choose mean": {"class_token": False},
    "model.net.dim 18: model.net.positions sincos needs a multiple of 4": {"dim": 18, "positions": "sincos"},
    "model.net.backend.out_proj none: 8 heads of 2 make 16 features, but model.net.dim is 192": {
        "backend": {**LINFORMER, "init_args": {"out_proj": "none", "head_dim": 2}}
    },
    "model.net.backend.k 1.5: must be int": {"backend": {**LINFORMER, "init_args": {"k": 1.5}}},
    "model.net.backend.k 0: must be at least 1": {"backend": {**LINFORMER, "init_args": {"k": 0}}},
    "model.net.backend.depth 20000: absurdly large": {"backend": {**LINFORMER, "init_args": {"depth": 20000}}},
    "model.net.backend.heads 0: must be at least 1": {"backend": {**LINFORMER, "init_args": {"heads": 0}}},
    "model.net.backend.qkv_bias 1: must be bool": {"backend": {**LINFORMER, "init_args": {"qkv_bias": 1}}},
    "model.net.backend.head_dim x: must be int | None": {"backend": {**LINFORMER, "init_args": {"head_dim": "x"}}},
    "model.net: 1.4e+11 parameters": {
        "dim": 2**19, "channels": 2**10, "image_size": 512, "classes": -(2**20),
        "backend": {**LINFORMER, "init_args": {"depth": -9000}},
    },
    "model.net: 3.8e+12 parameters": {
        "dim": 2**10, "backend": {**LINFORMER, "init_args": {"depth": 9000, "k": 2**20}}
    },
}  # fmt: skip


@pytest.mark.parametrize("line", REFUSED)
def test_strange_settings_are_refused_in_one_line(line):
    with pytest.raises(ConfigError) as caught:
        build(REFUSED[line])
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)
