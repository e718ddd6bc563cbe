"""What acts in training only: stochastic depth, dropout of the head, activation checkpointing."""

from __future__ import annotations

import warnings
from functools import partial

import pytest
import torch

from vitcli.errors import ConfigError
from vitcli.net import Block, Linformer, VanillaTransformer, ViT

BOTH = pytest.mark.parametrize("kind", [VanillaTransformer, partial(Linformer, sharing="layerwise", k=5)])


def small(kind, **inner):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return ViT(32, 8, dim=16, backend=partial(kind, depth=3, heads=2, **inner), classes=3)


@BOTH
def test_stochastic_depth_grows_evenly_from_zero_and_acts_in_training_only(kind):
    net, images = small(kind, stochastic_depth=0.4), torch.randn(8, 3, 32, 32)
    assert [block.stochastic_depth for block in net.backend.blocks] == [0, 0.2, 0.4]
    assert not torch.equal(net.train()(images), net(images))
    assert torch.equal(net.eval()(images), net(images))


def test_stochastic_depth_leaves_out_whole_branches_of_single_images():
    block = Block(4, torch.nn.Linear(4, 4), stochastic_depth=0.25).train()
    torch.nn.init.zeros_(block.mlp.fc2.weight)
    tokens = torch.randn(4000, 3, 4)
    added = (block(tokens) - tokens).detach()
    expected = block.attention(block.norm1(tokens)).detach() / 0.75
    kept = (added - expected).abs().amax(dim=(1, 2)) < 1e-5
    assert (added[~kept].abs() < 1e-6).all()
    assert kept.float().mean().item() == pytest.approx(0.75, abs=0.03)


def test_dropout_of_the_head_acts_in_training_only():
    net, images = ViT(32, 8, dim=16, classes=3, head_dropout=0.5), torch.randn(2, 3, 32, 32)
    assert not torch.equal(net.train()(images), net(images))
    assert torch.equal(net.eval()(images), net(images))


@BOTH
def test_activation_checkpointing_changes_memory_and_no_number(kind, randomise):
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    nets = [small(kind, activation_checkpointing=again, dropout=0.1, stochastic_depth=0.2) for again in (False, True)]
    randomise(nets[0])
    nets[1].double().load_state_dict(nets[0].state_dict())
    held = []
    for net in nets:
        sizes = []
        torch.manual_seed(1)
        with torch.autograd.graph.saved_tensors_hooks(lambda t, s=sizes: (s.append(t.numel()), t)[1], lambda t: t):
            loss = net.train()(images).square().sum()
        loss.backward()
        held.append(sum(sizes))
    for (name, one), other in zip(nets[0].named_parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-9, atol=1e-12, msg=name)
    assert held[1] < held[0] / 3


@pytest.mark.parametrize("value", [1.0, -0.1])
def test_a_probability_outside_its_range_is_refused(value):
    with pytest.raises(ConfigError, match=rf"^model\.net\.backend\.stochastic_depth {value}: must lie in \[0, 1\)"):
        small(VanillaTransformer, stochastic_depth=value)
