"""Tokens behind blocks are those of the forward pass, nothing is left of looking, and only alike ones are compared."""

from __future__ import annotations

import pytest
import torch

from vitcli.errors import ConfigError
from vitcli.net import Linformer, VanillaTransformer, ViT
from vitcli.train.tokens import behind_blocks, check_alike, distance


def vanilla(depth: int = 3, *, again: bool = False, pool: str = "cls", dim: int = 16) -> ViT:
    def backend(tokens: int, dim: int) -> VanillaTransformer:
        return VanillaTransformer(tokens, dim, depth=depth, heads=2, activation_checkpointing=again)

    return ViT(16, 4, 3, dim, pool, backend=backend, classes=2)  # type: ignore[arg-type]


def linformer(depth: int = 3) -> ViT:
    return ViT(
        16, 4, 3, 16, "mean", backend=lambda tokens, dim: Linformer(tokens, dim, 4, depth=depth, heads=2), classes=2
    )


@pytest.mark.parametrize("again", [False, True])
def test_gradients_go_through_the_tokens_of_every_block_also_where_they_are_computed_again(again: bool) -> None:
    net, images = vanilla(again=again, pool="mean").train(), torch.randn(2, 3, 16, 16)
    with behind_blocks(net, wanted=True) as tokens:
        net(images)
    assert [tuple(each.shape) for each in tokens] == [(2, 17, 16)] * 3
    targets = [each.detach() + torch.randn_like(each) for each in tokens]
    distance(tokens, targets).sum().backward()
    assert len(tokens) == 3
    for block in net.backend.get_submodule("blocks").children():
        assert not block._forward_hooks
        assert all(weight.grad is not None and weight.grad.any() for weight in block.parameters())
    with behind_blocks(net, wanted=False) as tokens:
        net(images)
    assert tokens == []


def test_equal_tokens_are_at_no_distance_and_opposite_ones_at_four() -> None:
    tokens = [torch.randn(3, 5, 64) * 10 for _ in range(2)]
    assert torch.equal(distance(tokens, tokens), torch.zeros(3))
    torch.testing.assert_close(distance(tokens, [-each for each in tokens]), torch.full((3,), 4.0))
    # where one net gives its class token alone, that is compared
    first = [tokens[0], tokens[1][:, :1]]
    torch.testing.assert_close(distance(first, [tokens[0], -tokens[1]]), torch.full((3,), 2.0))


def test_only_nets_of_the_same_shape_are_compared_whatever_their_attention() -> None:
    check_alike("distill.tokens 1", linformer(), vanilla())
    for other in (vanilla(2), vanilla(dim=32)):
        with pytest.raises(
            ConfigError, match=r"^distill\.tokens 1: compares .* 3 blocks of 17 tokens x 16, its teacher "
        ):
            check_alike("distill.tokens 1", linformer(), other)
