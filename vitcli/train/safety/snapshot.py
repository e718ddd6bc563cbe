"""Snapshot of a checkpoint: a copy in CPU memory that training no longer changes, and whether two hold the same."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_leaves


def snapshot(content: dict[str, Any], apart: frozenset[int] = frozenset()) -> dict[str, Any]:
    """A copy that training no longer changes, with its tensors in CPU memory.

    Args:
        content: Tensors and plain values.
        apart: Ids of tensors that are such copies already.
    """
    copies: dict[Any, Tensor] = {}
    known: dict[int, Tensor] = {}
    tensors = [leaf for leaf in tree_leaves(content) if isinstance(leaf, Tensor)]
    for tensor in tensors:
        if tensor.is_meta or id(tensor) in apart:
            # the first stands for one that is saved elsewhere
            known[id(tensor)] = tensor
            continue
        # what several layers share is copied once
        place = (tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        if place not in copies:
            copies[place] = tensor.detach().to("cpu", copy=True)
        known[id(tensor)] = copies[place]
    return copy.deepcopy(content, known)


def is_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two nests of tensors and values hold the same."""
    (ones, form), (others, other_form) = tree_flatten(one), tree_flatten(other)
    return form == other_form and all(
        isinstance(b, Tensor) and torch.equal(a, b) if isinstance(a, Tensor) else a == b
        for a, b in zip(ones, others, strict=True)
    )
