"""Safetensors: the net's tensors with its settings, classes and preprocessing in the header, as ``--weights`` reads."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from vitcli.export.subject import KEY, Subject
from vitcli.weights import save_tensors


def write_tensors(subject: Subject, path: Path) -> None:
    """Write the tensors.

    Args:
        subject: What is exported.
        path: The file.
    """
    save_tensors(
        subject.net,
        path,
        preprocess=asdict(subject.preprocess),
        source=subject.resampling,
        classes=list(subject.classes),
        **{KEY: subject.metadata()},
    )
