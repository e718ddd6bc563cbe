"""Compilation by torch: whether this machine can, and whether the steps become CUDA graphs."""

from __future__ import annotations

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import GradientAccumulationScheduler

from vitcli.errors import ConfigError


def check_compiler() -> None:
    """Nothing, where torch can compile for this machine; for a GPU, Triton sees to that itself.

    Raises:
        ConfigError: torch compiles for the CPU with a C++ compiler, and finds none.
    """
    if torch.cuda.is_available():
        return
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler as error:
        raise ConfigError(
            "model.compile true: torch finds no C++ compiler here; install g++, name another one in the variable CXX, "
            "or leave model.compile false"
        ) from error


def is_graphed(trainer: pl.Trainer) -> bool:
    """Whether the kernels of a compiled step are recorded, and then started all at once.

    Each start takes a processor longer than small kernels take a GPU (docs/results.md, 2026-11-26). The gradients lie
    where the next step writes its own, so there is none for those that are summed over several, or over processes.
    """
    summed = trainer.accumulate_grad_batches > 1 or any(
        isinstance(callback, GradientAccumulationScheduler)
        for callback in trainer.callbacks  # type: ignore[attr-defined]
    )
    return trainer.strategy.root_device.type == "cuda" and trainer.world_size == 1 and not summed
