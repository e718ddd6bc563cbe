"""Memory that has run out is recognised, wherever it did."""

from __future__ import annotations

import errno

import numpy as np
import pytest
import torch

from vitcli.errors import out_of_memory


def test_a_tensor_that_does_not_fit_names_the_remedies() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(10**16, dtype=torch.uint8)
    assert out_of_memory(caught.value) == (
        "memory has run out (10,000,000.0 GB more was wanted); lower data.batch_size "
        "(trainer.accumulate_grad_batches makes up for it), lower model.net.image_size, or take a smaller net"
    )


def test_an_array_that_does_not_fit_is_recognised() -> None:
    with pytest.raises(MemoryError) as caught:
        np.empty(10**16, dtype=np.uint8)
    told = out_of_memory(caught.value)
    assert told is not None
    assert told.startswith("memory has run out (8.88 PiB more was wanted); ")


@pytest.mark.parametrize(
    ("error", "begin"),
    [
        (MemoryError(), "memory has run out; lower data.batch_size"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "memory has run out; lower"),
        (
            RuntimeError(
                "[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory: you "
                "tried to allocate 450000000 bytes. Error code 12 (Cannot allocate memory)"
            ),
            "memory has run out (450 MB more was wanted); lower",
        ),
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of"),
            "memory of the GPU has run out (2.00 GiB more was wanted); lower",
        ),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "), "memory has run out; lower"),
    ],
)
def test_memory_that_has_run_out_is_recognised(error: Exception, begin: str) -> None:
    told = out_of_memory(error)
    assert told is not None
    assert told.startswith(begin)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)"),
        OSError(errno.ENOSPC, "No space left on device"),
        ValueError("out of memory"),
    ],
)
def test_other_errors_are_left_alone(error: Exception) -> None:
    assert out_of_memory(error) is None
