"""Health: what was found of a set of images, to act on and to know, and which images should be left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from vitcli.images.index.facts import Facts


@dataclass(frozen=True)
class Image:
    """An image of a set.

    Args:
        split: Such as train.
        label: Name of its class.
        path: Below the root.
        facts: What was found in its file.
    """

    split: str
    label: str
    path: str
    facts: Facts


@dataclass(frozen=True)
class Finding:
    """Something to act on, or to know.

    Args:
        kind: In a word or two.
        what: In a line.
        images: The images that it is about, each by path and reason, or group by group.
    """

    kind: str
    what: str
    images: list[Any] = field(default_factory=list)


@dataclass
class Health:
    """What was found of a set of images.

    Args:
        counts: Images by split and class.
        findings: To act on.
        notes: To know.
        quarantine: Path and reason of each image that should be left out.
    """

    counts: dict[str, dict[str, int]]
    findings: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)
    quarantine: dict[str, str] = field(default_factory=dict)
