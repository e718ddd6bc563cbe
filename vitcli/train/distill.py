"""Distillation (Hinton et al. 2015): how a teacher's answers count in the loss, and what a resume knows of it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vitcli.errors import ConfigError, WeightsError

# key of a checkpoint: the options, and the digest of the teacher
DISTILL = "distill"
# a place on a hub that anybody may fill, where a plain name is one of the library's own
ON_A_HUB = re.compile(r"(?:timm|torchvision):.*[:/]", re.DOTALL)


@dataclass(frozen=True)
class DistillOptions:
    """A trained net of the same classes, the teacher, whose answers count in the loss of training.

    Args:
        weights: The teacher: a file, a run's folder (its best checkpoint), timm:NAME or torchvision:NAME; null: none.
        temperature: By which the logits of both nets are divided before they are compared, above 0. The higher, the
            more what the teacher thinks of the unlikely classes counts.
        share: The teacher's share of the loss, in [0, 1]; the rest is the labels'.
        hard: Whether the teacher's likeliest class is a second label (DeiT), and not its probabilities.
        tokens: How much the distance between the tokens of both nets behind each block counts beside that; 0: not at
            all. For a net of as many tokens, dim and blocks, such as a Linformer that began with the teacher's weights.

    Raises:
        ConfigError: A temperature of 0 or less, a share outside [0, 1], or tokens below 0.
    """

    weights: str | None = None
    temperature: float = 4.0
    share: float = 0.9
    hard: bool = False
    tokens: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.temperature < math.inf:
            raise ConfigError(
                f"distill.temperature {self.temperature}: must be above 0; 1 compares the probabilities as they are"
            )
        if not 0 <= self.share <= 1:
            raise ConfigError(
                f"distill.share {self.share}: outside [0, 1]; 0.9 is usual, and 1 leaves the labels out of the loss"
            )
        if not 0 <= self.tokens < math.inf:
            raise ConfigError(f"distill.tokens {self.tokens}: must be 0 or a positive number, such as 1; 0 is none")


def from_checkpoint(checkpoint: Mapping[str, Any], path: Path | None) -> dict[str, Any]:
    """The section ``distill`` of a run that goes on from a checkpoint, if nothing else is said.

    Nothing is fetched from a place on a hub because a checkpoint says so; that has to be typed.

    Args:
        checkpoint: Its content; empty for a new run.
        path: For the message.

    Raises:
        WeightsError: What it says of its teacher cannot be.
    """
    if DISTILL not in checkpoint:
        return {}
    said = checkpoint[DISTILL]
    number = int | float
    kinds: dict[str, Any] = {
        "weights": str,
        "temperature": number,
        "share": number,
        "hard": bool,
        "tokens": number,
        "digest": str,
    }
    try:
        # an option that is newer than the checkpoint is as it was without it
        known = {name: said[name] for name in kinds if name in said}
        if not {"weights", "digest"} <= known.keys() or any(not isinstance(known[name], kinds[name]) for name in known):
            raise TypeError
        known.pop("digest")
        options = DistillOptions(**known)
    except (KeyError, TypeError, ConfigError) as error:
        raise WeightsError(
            f"--ckpt_path {path}: what it says of its teacher ({DISTILL}) is damaged; go on from another checkpoint, "
            "or start a new run from it with --weights"
        ) from error
    return {} if ON_A_HUB.match(said["weights"]) else {DISTILL: asdict(options)}


def changes(checkpoint: Mapping[str, Any], options: DistillOptions, digest: str | None) -> list[str]:
    """A line on each thing about the teacher that is another where a run is resumed; none where all is as it was.

    Args:
        checkpoint: From which the run goes on; empty for a new run.
        options: As they are now.
        digest: Of the teacher as it is now; None for none.

    Raises:
        ConfigError: Behind the same name is another teacher than the run began with.
    """
    before: Mapping[str, Any] = checkpoint.get(DISTILL, {})
    if not checkpoint or (not before and digest is None):
        return []
    if not before:
        step = checkpoint["global_step"]
        return [f"distill.weights {options.weights}: the run had no teacher so far; it teaches from step {step} on"]
    if digest is None:
        return [f"changed: distill.weights {before['weights']} -> null; going on without a teacher"]
    lines = []
    if digest != before["digest"]:
        if options.weights == before["weights"]:
            raise ConfigError(
                f"distill.weights {options.weights}: holds another net than when this run began with it; put the "
                "earlier one back, name a copy of this one to go on with it, or say --distill.weights null to go on "
                "without"
            )
        lines.append(f"changed: distill.weights {before['weights']} -> {options.weights}, another teacher")
    for name in ("temperature", "share", "hard", "tokens"):
        was, now = before.get(name, getattr(DistillOptions(), name)), getattr(options, name)
        if now != was:
            lines.append(f"changed: distill.{name} {was} -> {now}")
    return lines
