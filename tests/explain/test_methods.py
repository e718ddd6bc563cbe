"""The maps against the formulas of their papers, written out with whole matrices, in float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.net.test_watch import images, net
from vitcli.explain import METHODS, maps_of
from vitcli.explain.attention import layer_maps, rollout
from vitcli.explain.readout import on_patches, readout
from vitcli.explain.relevance import relevance
from vitcli.net import Linformer, VanillaTransformer, ViT, watch

POOLS = ["mean", "mean_patches", "cls", "attention"]
BACKENDS: list[Any] = [(VanillaTransformer, {}), (Linformer, {"k": 6}), (Linformer, {"k": 6, "sharing": "none"})]
CLASSES = torch.tensor([2, 0])


def whole(built: ViT, rows: Tensor) -> Tensor:
    """A layer's matrix (batch, tokens, tokens), with no row but the first where no other was asked for."""
    if rows.shape[1] == int(built.tokens):
        return rows
    filled = torch.zeros(len(rows), int(built.tokens), int(built.tokens), dtype=rows.dtype)
    filled[:, : rows.shape[1]] = rows
    return filled


def weights_of_tokens(built: ViT, shares: Tensor) -> Tensor:
    filled = torch.zeros(len(shares), int(built.tokens), dtype=shares.dtype)
    filled[:, : shares.shape[1]] = shares
    return filled


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize(("backend", "options"), BACKENDS)
@pytest.mark.filterwarnings("ignore:model.net.backend.k")
def test_rollout_is_the_product_of_all_layers_and_sums_to_one(backend: Any, options: dict[str, Any], pool: str):
    built = net(backend, options, pool=pool)
    with torch.no_grad(), watch(built) as seen:
        built(images())
        product = torch.eye(int(built.tokens), dtype=torch.float64)
        for layer in seen:
            assert layer.weights is not None
            rows = layer.weights if layer.mixing is None else layer.weights @ layer.mixing.abs()
            mean = whole(built, (rows / rows.sum(dim=3, keepdim=True)).mean(dim=1))
            product = (mean + torch.eye(mean.shape[1])) / 2 @ product
        shares = weights_of_tokens(built, readout(built, seen, images()))
        wanted = (shares[:, None] @ product)[:, 0]
        found = rollout(built, images(), CLASSES)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(2).double(), rtol=0, atol=1e-12)
    assert float(found.min()) >= 0


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize(("backend", "options"), BACKENDS)
@pytest.mark.filterwarnings("ignore:model.net.backend.k")
def test_relevance_is_that_of_its_paper(backend: Any, options: dict[str, Any], pool: str):
    built = net(backend, options, pool=pool)
    with watch(built) as seen:
        logits = built(images())
        chosen = logits[0, 2] + logits[1, 0]
        gradients = torch.autograd.grad(chosen, [layer.weights for layer in seen])  # type: ignore[misc]
    matrix = torch.eye(int(built.tokens), dtype=torch.float64).expand(2, -1, -1)
    for layer, gradient in zip(seen, gradients, strict=True):
        assert layer.weights is not None
        positive = (gradient * layer.weights).clamp_min(0)
        rows = positive if layer.mixing is None else positive @ layer.mixing.abs()
        matrix = matrix + whole(built, rows.mean(dim=1)) @ matrix
    shares = weights_of_tokens(built, readout(built, seen, images()))
    if pool.startswith("mean"):
        # what each token has of itself alone is the same for all
        matrix = matrix - torch.eye(int(built.tokens))
    torch.testing.assert_close(
        relevance(built, images(), CLASSES), (shares[:, None] @ matrix)[:, 0].detach(), rtol=1e-12, atol=1e-12
    )


def test_the_maps_of_all_layers_and_heads_are_rows_of_the_weights():
    built = net(pool="cls")
    with torch.no_grad(), watch(built) as seen:
        built(images())
    found = layer_maps(built, images())
    assert found.shape == (2, 2, 3, 17)
    for number, layer in enumerate(seen):
        assert layer.weights is not None
        assert torch.equal(found[:, number], layer.weights[:, :, 0])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("training", [False, True])
def test_a_method_leaves_the_net_as_it_was(method: str, training: bool):
    built = net(pool="mean").train(training)
    before = {name: tensor.clone() for name, tensor in built.state_dict().items()}
    found = maps_of(method, built, images(), CLASSES)
    assert found.shape == (2, 4, 4)
    assert not found.requires_grad
    assert built.training is training
    assert all(parameter.grad is None for parameter in built.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in built.state_dict().items())


@pytest.mark.parametrize("method", ["gradients", "occlusion", "relevance"])
def test_a_map_for_a_class_finds_the_patch_that_alone_speaks_for_it(method: str):
    """Only the bright patch holds anything, and the class is the one for which it speaks most."""
    built = net(pool="mean_patches")
    picture = torch.zeros(1, 3, 32, 32, dtype=torch.float64)
    picture[:, :, 8:16, 16:24] = 1
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.mul_(0.2)
        built.norm = None
    label = (built(picture) - built(torch.zeros_like(picture))).argmax(dim=1)
    found = maps_of(method, built, picture, label)
    assert int(found.flatten().argmax()) == 1 * 4 + 2


def test_occlusion_is_the_fall_of_the_probability():
    built = net(pool="mean")
    found = maps_of("occlusion", built, images(), CLASSES)
    hidden = images()
    hidden[1, :, 24:, 8:16] = 0
    with torch.no_grad():
        fall = built(images()).softmax(1)[1, 0] - built(hidden).softmax(1)[1, 0]
    assert float(found[1, 3, 1]) == pytest.approx(float(fall), abs=1e-12)


def test_patches_lie_where_they_do_in_the_picture():
    built = net(image_size=(16, 32), pool="mean")
    tokens = torch.arange(float(int(built.tokens)))[None]
    assert on_patches(built, tokens).tolist() == [[[1, 2, 3, 4], [5, 6, 7, 8]]]
