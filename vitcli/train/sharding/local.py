"""The part of a tensor that this process holds, and the whole tensor of all parts: DTensor without importing it."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def is_split(value: Any) -> bool:
    """Whether a value is a tensor of which each process holds a part: a DTensor, whose package takes long to import."""
    return isinstance(value, Tensor) and hasattr(value, "to_local")


def local(tensor: Tensor) -> Tensor:
    """The part of a tensor that this process holds, which shares its memory; a tensor that is not split as it is.

    What is done to each number by itself is done to the parts alone, and needs no other process.
    """
    part: Tensor = tensor.to_local() if is_split(tensor) else tensor  # type: ignore[attr-defined]
    return part


def whole(tensor: Tensor) -> Tensor:
    """The tensor that all parts make, in each process, which all have to call this; one that is not split as it is."""
    gathered: Tensor = tensor.full_tensor() if is_split(tensor) else tensor  # type: ignore[attr-defined]
    return gathered


def joined(part: Tensor, like: Tensor) -> Tensor:
    """The split tensor of which this process holds a part, split as another one of its shape is."""
    if not is_split(like):
        return part
    from torch.distributed.tensor import DTensor

    held: Any = like
    return DTensor.from_local(
        part, held.device_mesh, held.placements, run_check=False, shape=held.shape, stride=held.stride()
    )


def split_like(tensor: Tensor, like: Tensor) -> Tensor:
    """A tensor that each process holds as a whole, split as another one of its shape is; no process talks to another.

    Args:
        tensor: The same in each process.
        like: May not be split; then it is returned as it is.
    """
    if not is_split(like):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    held: Any = like
    # without a source, each takes its part of its own
    return distribute_tensor(tensor.to(like.device), held.device_mesh, held.placements, src_data_rank=None)
