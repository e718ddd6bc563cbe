"""Tars as WebDataset and others write them, for tests."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path


def write_shard(file: Path, members: Mapping[str, bytes], layout: int = tarfile.USTAR_FORMAT, time: float = 0) -> Path:
    """A tar of members by their names.

    Args:
        file: To be written.
        members: Content of each.
        layout: ustar, GNU or pax, as tarfile has them; with a time that is no whole number, pax has a header for each.
        time: Of each member.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w", format=layout) as opened:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), time  # type: ignore[assignment]
            opened.addfile(member, io.BytesIO(content))
    return file


def samples(count: int, kind: str = "cls", start: int = 0) -> dict[str, bytes]:
    """Members of so many samples, whose labels 0 and 1 take turns; what stands for a picture is no picture."""
    found: dict[str, bytes] = {}
    for number in range(start, start + count):
        label = str(number % 2)
        found[f"{number:06d}.jpg"] = f"picture {number}".encode() * (number % 7)
        found[f"{number:06d}.{kind}"] = f'{{"label": {label}}}'.encode() if kind == "json" else label.encode()
    return found
