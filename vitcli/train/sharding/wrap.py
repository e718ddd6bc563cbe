"""FSDP2 on a net: each block is a unit of its own, the rest is the root's, and no process keeps a gathered weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from vitcli.net import ViT
from vitcli.net.transformer.block import Block

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh


def split(net: ViT, mesh: DeviceMesh, gathered: torch.dtype | None, *, compiles: bool) -> None:
    """Split a net's parameters over the processes of a mesh, in place; each keeps its rows of every tensor.

    A unit is gathered before its forward and its backward pass, and let go after each, the root's too: a unit that
    stayed gathered would not see weights that are put in its place, as those of the average are before a validation.
    Blocks are compiled by themselves, with the gathering outside: torch compiles no graph across it.

    Args:
        net: On the CPU or on the device of this process; the same in each.
        mesh: Of one dimension.
        gathered: The precision in which the weights of blocks are sent and multiplied; None: that in which they are
            kept. Patches, positions, norm and head, a few percent, stay as they are, and gradients are summed in
            float32.
        compiles: Whether torch compiles the blocks.
    """
    # takes a second to import
    from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard

    if isinstance(net, FSDPModule):
        return
    policy = MixedPrecisionPolicy(
        param_dtype=gathered, reduce_dtype=None if gathered is None else torch.float32, cast_forward_inputs=False
    )
    for block in [module for module in net.modules() if isinstance(module, Block)]:
        if compiles:
            block.forward = torch.compile(block.forward, dynamic=False)  # type: ignore[method-assign]
        fully_shard(block, mesh=mesh, mp_policy=policy, reshard_after_forward=True)
    fully_shard(net, mesh=mesh, reshard_after_forward=True)


def summed_at_the_end(net: nn.Module, *, now: bool) -> None:
    """Whether the coming backward passes sum their gradients over the processes, or keep them, whole, for a later one.

    Args:
        net: Split.
        now: Whether they do.
    """
    from torch.distributed.fsdp import FSDPModule

    if isinstance(net, FSDPModule):
        net.set_requires_gradient_sync(now)
