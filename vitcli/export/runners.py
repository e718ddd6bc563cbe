"""Runners: an exported file opened by its own library, as a function of pixels to probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vitcli.export.check import Floats, Runner, answers_of
from vitcli.export.subject import Subject
from vitcli.export.whole import INPUT, OUTPUT


def of_onnx(path: Path, threads: int = 0) -> Runner:
    """An ONNX file by onnxruntime on the CPU.

    Args:
        path: The file.
        threads: How many work on it; 0: all cores.
    """
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(pixels: NDArray[np.uint8]) -> Floats:
        answered: Floats = session.run([OUTPUT], {INPUT: np.ascontiguousarray(pixels)})[0]
        return answered

    return run


def of_pt2(path: Path) -> Runner:
    """A .pt2 file by torch.export.load."""
    # not by its name, which does not end in .pt2 yet
    with path.open("rb") as file:
        module: Any = torch.export.load(file).module()

    def run(pixels: NDArray[np.uint8]) -> Floats:
        with torch.inference_mode():
            answered: Floats = module(torch.from_numpy(np.ascontiguousarray(pixels))).numpy()
        return answered

    return run


def of_safetensors(path: Path, subject: Subject) -> Runner:
    """A .safetensors file as ``--weights`` opens it, asked as the net is."""
    opened = Subject.open(str(path), subject.asked.temperature, subject.asked.threshold)

    def run(pixels: NDArray[np.uint8]) -> Floats:
        return answers_of(opened, pixels)

    return run
