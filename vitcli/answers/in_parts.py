"""in_parts: each part of a batch is computed by one thread, and threads wait once a batch instead of in each layer."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch
from torch import Tensor, nn

from vitcli.net import ViT
from vitcli.net.kernels.traced import seen_through
from vitcli.net.transformer.stack import Stack

# so many images in a part at most: more outgrow the caches; and at least, or products lose what the threads gain
MOST, LEAST = 16, 4


def in_parts(function: Callable[[Tensor], Tensor], net: ViT, images: Tensor) -> Tensor:
    """What a function that calls a net in eval mode gives for images (batch, ...), the same up to rounding.

    torch divides each layer among its threads, and the faster ones wait for the others at its end. On two Zen cores,
    in float32, parts of a batch take 0.90 (50 tokens, dim 128) and 0.94 (DeiT-Tiny, 197 tokens) of the time of a whole
    one, and 0.83 to 0.94 of the work of the cores, on which other threads decode (docs/lab/2026-11-30.md).

    Args:
        function: Images -> a row for each of them; the net and constants are all that it uses.
        net: The net. One that is hooked or watched, or whose backend is not ours and may keep something of its last
            call, is called with the whole batch.
        images: Of one batch.
    """
    threads = torch.get_num_threads()
    size = min(MOST, -(-len(images) // threads))
    if threads == 1 or size < LEAST or size >= len(images) or not _may_be_parted(net, images):
        return function(images)
    inference = torch.is_inference_mode_enabled()

    def of_part(part: Tensor) -> Tensor:
        with torch.inference_mode(inference), torch.no_grad():
            return function(part)

    # by process: the threads of a pool do not come along into a fork of it
    return torch.cat(list(_pool(threads, os.getpid()).map(of_part, torch.split(images, size))))


def _may_be_parted(net: ViT, images: Tensor) -> bool:
    """Whether threads may call a net at once, and whether it was measured to be faster: float32 on a CPU."""
    return (
        images.device.type == "cpu"
        and not torch.is_grad_enabled()
        # autocast is a thread's own
        and not torch.is_autocast_enabled("cpu")
        and not seen_through(images)
        and isinstance(net.backend, Stack)
        and all(weight.dtype == torch.float32 for weight in net.parameters())
        and not any(map(_is_observed, net.modules()))
    )


def _is_observed(module: nn.Module) -> bool:
    """Whether something is called, or kept, each time a module is: by a hook, a watcher, training or a compiler."""
    return bool(
        module.training
        or module._forward_hooks
        or module._forward_pre_hooks
        or module._compiled_call_impl is not None
        or getattr(module, "watcher", None) is not None
    )


@cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix=f"net_{process}", initializer=_alone)


def _alone() -> None:
    """Let this thread compute without others."""
    torch.set_num_threads(1)
