"""The head may see several of the last layers, and the class token beside the mean of the patches."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from vitcli.errors import ConfigError
from vitcli.net import Backend, Linformer, VanillaTransformer, ViT, build
from vitcli.net.counts import parameters
from vitcli.net.settings import check_held

BACKENDS = {
    "vanilla": partial(VanillaTransformer, depth=3, heads=2),
    "linformer": partial(Linformer, depth=3, heads=2, k=4),
}


def net_of(backend: str = "vanilla", **settings: object) -> ViT:
    torch.manual_seed(0)
    chosen = {"image_size": 32, "patch_size": 8, "dim": 16, "classes": 3, **settings}
    return ViT(backend=BACKENDS[backend], **chosen).eval()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("final_norm", ["before_pool", "after_pool", "none"])
def test_each_layer_is_normed_and_pooled_by_itself(backend: str, final_norm: str):
    net = net_of(backend, pool="cls_mean", head_layers=2, final_norm=final_norm)
    images = torch.randn(2, 3, 32, 32)
    behind = []
    for block in net.backend.blocks:
        block.register_forward_hook(lambda module, inputs, output: behind.append(output))
    logits = net(images)
    norm = net.norm if net.norm is not None else torch.nn.Identity()
    cls = torch.cat([norm(tokens[:, 0]) for tokens in behind[-2:]], dim=1)
    if final_norm == "before_pool":
        mean = torch.cat([norm(tokens)[:, 1:].mean(dim=1) for tokens in behind[-2:]], dim=1)
    else:
        mean = torch.cat([norm(tokens[:, 1:].mean(dim=1)) for tokens in behind[-2:]], dim=1)
    assert net.pooled_width == 16 * 2 * 2
    torch.testing.assert_close(logits, net.head(torch.cat([cls, mean], dim=1)))


def test_a_class_token_of_several_layers_asks_the_last_for_no_other_token():
    net = net_of(pool="cls", head_layers=3)
    images = torch.randn(2, 3, 32, 32)
    all_tokens = net.features(images)
    assert all_tokens.shape == (2, 17, 48)
    torch.testing.assert_close(net.features(images, 1), all_tokens[:, :1])


def test_settings_rebuild_the_net_and_its_size_is_known():
    net = net_of(pool="cls_mean", head_layers=3)
    again = build(net.settings())
    again.load_state_dict(net.state_dict())
    images = torch.randn(1, 3, 32, 32)
    assert torch.equal(again.eval()(images), net(images))
    wide = net_of(pool="cls_mean", head_layers=3, classes=1000)
    check_held(wide.settings(), 4 * parameters(wide))
    with pytest.raises(ConfigError):
        check_held(wide.settings(), 4 * 16 * 1000)


class Own(Backend):
    def __init__(self, tokens: int, dim: int) -> None:
        super().__init__()

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return tokens


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"head_layers": 4}, "model.net.head_layers 4: model.net.backend.depth is 3"),
        ({"head_layers": 0}, "model.net.head_layers 0"),
        ({"head_layers": 2, "pool": "attention"}, "attention pooling has one query"),
        ({"pool": "cls_mean", "class_token": False}, "model.net.pool cls_mean: model.net.class_token is false"),
    ],
)
def test_what_cannot_be_seen_is_refused(settings: dict[str, object], said: str):
    with pytest.raises(ConfigError, match=said):
        net_of(**settings)


def test_a_backend_of_ones_own_has_one_layer():
    with pytest.raises(ConfigError, match="Own gives its last layer alone"):
        ViT(image_size=32, patch_size=8, dim=16, classes=3, backend=Own, head_layers=2)
