"""What a checkpoint and a command line each say of the model, held against each other; and the model in a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vitcli.data.module import SPLITS_OF_STAGE

if TYPE_CHECKING:
    from vitcli.data import ImageData
    from vitcli.train.classifier import Classifier


def contradictions(was: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any, Any]]:
    """The settings that differ: key as the user types it, the checkpoint's value, today's value.

    Args:
        was: Hyper-parameters of a checkpoint.
        now: Hyper-parameters of the model as configured.
        prefix: Key of both.
    """
    found: list[tuple[str, Any, Any]] = []
    if was.get("class_path") != now.get("class_path"):
        return [(prefix.rstrip("."), _short(was.get("class_path")), _short(now.get("class_path")))]
    for key in {**was, **now}:
        before, today = was.get(key), now.get(key)
        if isinstance(before, Mapping) and isinstance(today, Mapping):
            found += contradictions(before, today, prefix if key == "init_args" else f"{prefix}{key}.")
        elif before != today:
            found.append((f"{prefix}{key}", before, today))
    return found


def describe(model: Classifier, data: ImageData, verb: str) -> list[str]:
    """What is about to happen, in two lines: the net, and the images.

    Args:
        model: The classifier.
        data: Its images, scanned.
        verb: fit, validate, test or predict.
    """
    net = model.net
    parameters = sum(parameter.numel() for parameter in net.parameters())
    counts = ", ".join(
        f"{len(data.listing(split)):,} {'' if split == 'predict' else split + ' '}images"
        for split in SPLITS_OF_STAGE[verb]
    )
    names = ", ".join(model.classes[:8]) + (", ..." if len(model.classes) > 8 else "")
    backend = type(net.backend).__name__
    return [
        f"net: {backend}, {net.tokens} tokens x {net.dim}, {parameters:,} parameters",
        f"data: {counts}; {len(model.classes)} classes: {names}",
    ]


def _short(class_path: Any) -> Any:
    return class_path.removeprefix("vitcli.net.") if isinstance(class_path, str) else class_path
