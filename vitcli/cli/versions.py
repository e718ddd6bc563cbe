"""Versions for a bug report: Python, libraries, CUDA and CPU instructions, in one block to paste."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from vitcli import __version__

LIBRARIES = (
    *("torch", "torchvision", "lightning", "torchmetrics", "jsonargparse", "timm"),
    *("numpy", "pillow", "simplejpeg", "safetensors", "wandb", "onnxruntime"),
)
# of those in /proc/cpuinfo, the ones that decide which kernels run
CPU_FLAGS = ("avx", "avx2", "f16c", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "sve", "bf16")


def versions() -> str:
    """A line each: vitcli, Python, system, libraries, CUDA with its devices, CPU with its instructions."""
    cuda, used = _of_torch()
    lines = {
        "vitcli": __version__,
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "system": platform.platform(),
        **{library: _version(library) for library in LIBRARIES},
        "CUDA": cuda,
        "CPU": f"{_cpu()}, {os.cpu_count()} cores",
        "CPU flags": f"{' '.join(_flags()) or 'unknown'}{used}",
    }
    return "\n".join(f"{name}: {value}" for name, value in lines.items())


def _of_torch() -> tuple[str, str]:
    """What torch has of CUDA, and which instructions of the CPU it uses; a machine that only predicts may have none."""
    try:
        # here, because it takes seconds, and --version alone answers at once
        import torch
    except ModuleNotFoundError:
        return "no torch", ""
    gpus = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    cuda = f"{torch.version.cuda or 'none in this torch'}; devices: {', '.join(gpus) or 'none'}"
    return cuda, f" (torch uses {torch.backends.cpu.get_cpu_capability()})"


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"


def _cpuinfo() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _field(*names: str) -> str:
    pairs = (line.partition(":") for line in _cpuinfo().splitlines())
    return next((value.strip() for name, _, value in pairs if name.strip() in names), "")


def _cpu() -> str:
    return _field("model name") or platform.processor() or platform.machine()


def _flags() -> list[str]:
    held = _field("flags", "Features").split()
    return [flag for flag in CPU_FLAGS if flag in held]
