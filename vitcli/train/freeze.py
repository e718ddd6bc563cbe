"""Freezing parts of a net (requires_grad off) by patterns of parameter names, or all but its head by one word."""

from __future__ import annotations

from fnmatch import fnmatch

from vitcli.errors import ConfigError
from vitcli.net import ViT
from vitcli.net.vit import HEAD


def freeze_parameters(net: ViT, patterns: tuple[str, ...]) -> None:
    """Train no parameter whose name matches.

    Args:
        net: The net, which is changed.
        patterns: As ``model.freeze`` has them: such as ``patches.*``, or ``backbone`` for everything but the head.

    Raises:
        ConfigError: A pattern matches no parameter, or all of them leave none to train.
    """
    for pattern in patterns:
        matched = [
            parameter
            for name, parameter in net.named_parameters()
            if (not name.startswith(HEAD) if pattern == "backbone" else fnmatch(name, pattern))
        ]
        if not matched:
            names = ", ".join(sorted({name.split(".")[0] for name, _ in net.named_parameters()}))
            raise ConfigError(
                f"model.freeze {pattern}: matches no parameter; say backbone, or a pattern such as "
                f"backend.blocks.0.*; the net has {names}"
            )
        for parameter in matched:
            parameter.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in net.parameters()):
        raise ConfigError(f"model.freeze {', '.join(patterns)}: leaves nothing to train; freeze less, such as backbone")
