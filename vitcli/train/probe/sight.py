"""Sight: what the head sees of the tokens, as the settings of the net say it."""

from __future__ import annotations

from typing import NamedTuple

from vitcli.net.vit import Pool


class Sight(NamedTuple):
    """What the head sees.

    Args:
        pool: As model.net.pool.
        layers: As model.net.head_layers.
    """

    pool: Pool
    layers: int
