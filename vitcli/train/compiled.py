"""Compilation by torch: whether this machine can, and whether a step becomes a CUDA graph."""

from __future__ import annotations

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import GradientAccumulationScheduler

from vitcli.errors import ConfigError


def check_compiler() -> None:
    """Check that torch can compile for this machine; for a GPU, Triton checks that itself.

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
            "or say --model.compile false"
        ) from error


def is_graphed(trainer: pl.Trainer) -> bool:
    """Whether a compiled step is a CUDA graph: its kernels are recorded, and then launched all at once.

    Each launch takes the CPU longer than a small kernel takes the GPU (docs/lab/2026-11-26.md). The next step of a
    graph overwrites the gradients, so there is none where they are summed over several steps, or over processes.
    """
    summed = trainer.accumulate_grad_batches > 1 or any(
        isinstance(callback, GradientAccumulationScheduler)
        for callback in trainer.callbacks  # type: ignore[attr-defined]
    )
    return trainer.strategy.root_device.type == "cuda" and trainer.world_size == 1 and not summed
