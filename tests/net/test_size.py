"""The size of a net is known from its settings, before it is built."""

from __future__ import annotations

from typing import Any

import pytest

from vitcli.errors import ConfigError
from vitcli.net import build
from vitcli.net.counts import parameters
from vitcli.net.settings import check_held

NET = {"image_size": [64, 48], "patch_size": [8, 16], "dim": 48, "classes": 30}


def of(kind: str, **settings: Any) -> dict[str, Any]:
    return {"class_path": f"vitcli.net.{kind}", "init_args": {"depth": 3, "heads": 4, **settings}}


NETS: list[dict[str, Any]] = [
    {},
    {"positions": "sincos", "class_token": False, "pool": "mean"},
    {"positions": "learned_patches", "registers": 4},
    {"stem": "conv", "patch_size": 16},
    {"stem": "conv", "patch_size": 4, "dim": 64},
    {"positions": "none", "pre_logits": 64, "patch_norm": True, "pool": "attention"},
    {"backend": of("VanillaTransformer", head_dim=5, mlp_ratio=0.7, layer_scale=1e-5, qk_norm=True)},
    {"backend": of("VanillaTransformer", out_proj="none", qkv_bias=False)},
    {"backend": of("Linformer", k=5)},
    {"backend": of("Linformer", k=[5, 3, 2], sharing="none")},
    {"backend": of("Linformer", k=4, sharing="none", one_kv_head=True)},
    {"backend": of("Linformer", k=4, sharing="headwise", tie_kv=True, project_prefix=False)},
    {"backend": of("Linformer", k=4, sharing="kv", head_dim=7)},
    {"backend": of("Linformer", k=4, sharing="layerwise", proj_init="avgpool")},
    {"backend": of("Linformer", k=6, projection="avgpool", project_prefix=False)},
    {"backend": of("Linformer", k=4, projection="conv", project_prefix=False)},
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("settings", NETS, ids=str)
def test_a_file_that_holds_the_net_is_large_enough_and_one_of_three_quarters_is_not(settings: dict[str, Any]):
    net = build({**NET, **settings})
    numbers = parameters(net)
    check_held(net.settings(), numbers)
    with pytest.raises(ConfigError, match=r"^model\.net: .* parameters by its settings, and the file holds"):
        check_held(net.settings(), numbers * 3 // 4)


@pytest.mark.parametrize(
    "settings",
    [
        {"dim": 16384},
        {"classes": 2**20},
        {"backend": of("VanillaTransformer", depth=9000)},
        {"backend": of("VanillaTransformer", depth=-9000, mlp_ratio=2.0**20)} | {"classes": 2**20},
        {"image_size": 2**20, "patch_size": 1, "positions": "none"},
        {"image_size": 2**13, "patch_size": 1, "dim": 8, "positions": "sincos"},
        {"image_size": 2**12, "patch_size": 4, "positions": "none", "backend": of("Linformer", proj_init="avgpool")},
        {"dim": 2**20, "registers": -(2**20), "backend": {"class_path": "not.imported.Backend", "init_args": {}}},
    ],
    ids=str,
)  # fmt: skip
def test_a_giant_is_refused_before_it_is_built(settings: dict[str, Any]):
    with pytest.raises(ConfigError, match=r"^model\.net"):
        check_held({**NET, **settings}, 50_000)


def test_of_a_backend_that_is_not_imported_the_rest_of_the_net_is_checked():
    check_held({**NET, "backend": {"class_path": "not.imported.Backend", "init_args": {"any": [1, "word"]}}}, 50_000)
