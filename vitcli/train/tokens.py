"""Tokens behind each block: kept while a net computes, and how far they are from those of a net of the same shape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vitcli.errors import ConfigError
from vitcli.net import ViT
from vitcli.net.transformer.stack import Stack


@contextmanager
def behind_blocks(net: ViT, *, wanted: bool) -> Iterator[list[Tensor]]:
    """Within this, the tokens behind each block of a net that computes once: each (batch, tokens, dim), in its graph.

    Args:
        net: Its backend is a stack of our blocks, and it is not compiled.
        wanted: Whether they are wanted at all.
    """
    found: list[Tensor] = []
    handles = [
        block.register_forward_hook(lambda _, __, tokens: found.append(tokens)) for block in _blocks(net, wanted)
    ]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def distance(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> Tensor:
    """How far tokens are from others, for each image: (batch,), from 0 to 4.

    The mean squared difference behind each block, of tokens normalised as the next block reads them, so that no block
    and no large token counts more than others; the mean of all blocks (after FitNets, Romero et al. 2015, and TinyBERT,
    Jiao et al. 2020).

    Args:
        ours: Tokens behind each block, (batch, tokens, dim).
        theirs: Likewise; where one net gives its first tokens alone, these are compared.
    """
    each = []
    for one, other in zip(ours, theirs, strict=True):
        seen = min(one.shape[1], other.shape[1])
        pair = [F.layer_norm(tokens[:, :seen].float(), tokens.shape[2:]) for tokens in (one, other)]
        each.append((pair[0] - pair[1]).square().mean(dim=(1, 2)))
    return torch.stack(each).mean(dim=0)


def check_alike(key: str, net: ViT, teacher: ViT) -> None:
    """Check that the tokens of two nets can be compared, each with its own.

    Args:
        key: The setting and its value, for the message.
        net: The net that learns.
        teacher: The other one.

    Raises:
        ConfigError: They differ in tokens, width or number of blocks.
    """
    shapes = [_shape(each) for each in (net, teacher)]
    if shapes[0] != shapes[1]:
        raise ConfigError(
            f"{key}: compares the tokens behind each block, and this net has {shapes[0]}, its teacher {shapes[1]}; "
            "choose a teacher of the same shape, or leave it out"
        )


def _shape(net: ViT) -> str:
    depth = net.backend.depth if isinstance(net.backend, Stack) else "other"
    return f"{depth} blocks of {net.tokens} tokens x {net.dim}"


def _blocks(net: ViT, wanted: bool) -> list[nn.Module]:
    blocks: Any = net.backend.get_submodule("blocks") if wanted else []
    return list(blocks)
